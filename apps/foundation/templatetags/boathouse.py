"""`{% load boathouse %}`: every tag and filter that the pages share."""

from __future__ import annotations

from django import template

from apps.foundation.templatetags import blocks, charts, codes, figures, forms, lists, marks

register = template.Library()
for part in (marks, figures, charts, codes, blocks, forms, lists):
    register.tags.update(part.register.tags)
    register.filters.update(part.register.filters)
