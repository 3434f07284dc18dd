// <form data-changes>: marks the fields whose value is another one than at first, and counts them in [data-changed-count].
import { all, one } from './dom.ts';

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

const first = (field: Field): string =>
  field instanceof HTMLSelectElement ? (all<HTMLOptionElement>('option', field).find(option => option.defaultSelected) ?? field.options[0])?.value ?? '' : field.defaultValue;

document.addEventListener('input', event => {
  const form = event.target instanceof Element ? event.target.closest<HTMLFormElement>('form[data-changes]') : null;
  if (!form) return;
  const fields = all<Field>('input[name]:not([type=hidden]), select[name], textarea[name]', form);
  const changed = fields.filter(field => field.value !== first(field));
  fields.forEach(field => field.closest('.field')?.toggleAttribute('data-changed', changed.includes(field)));
  const place = one('[data-changed-count]', form);
  if (!place) return;
  place.dataset.same ??= place.textContent ?? '';
  place.textContent = changed.length ? `${changed.length} ${changed.length === 1 ? 'value differs' : 'values differ'}` : place.dataset.same;
});
