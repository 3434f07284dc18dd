"""Tells people what happened: watches, notices in the inbox, mail, the live stream that open pages follow, and activity in words.

Nouns: watch (who wants to hear of a resource), notice (one message to one person), topic (what a page follows live).
"""
