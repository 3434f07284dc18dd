// Lists: select rows (Shift for a range, the head for the page), show the bulk bar, submit a filter, fill a slider.
import { all, hit, one } from './dom.ts';

let last: HTMLInputElement | null = null;
const boxes = (table: Element): HTMLInputElement[] => all<HTMLInputElement>('tbody input.check[name]', table);

const count = (table: Element): void => {
  const list = boxes(table), chosen = list.filter(box => box.checked);
  list.forEach(box => box.closest('tr')?.setAttribute('aria-selected', String(box.checked)));
  const head = one<HTMLInputElement>('thead input.check', table);
  if (head) { head.checked = chosen.length > 0 && chosen.length === list.length; head.indeterminate = chosen.length > 0 && chosen.length < list.length; }
  const bar = one('.bulk', table.closest('form') ?? document);
  if (!bar) return;
  bar.hidden = chosen.length === 0;
  const label = one('[data-chosen]', bar);
  if (label) label.textContent = `${chosen.length} selected`;
  all<HTMLButtonElement>('[data-needs]', bar).forEach(button => { button.hidden = chosen.length < Number(button.dataset.needs); });
};

document.addEventListener('click', event => {
  const box = hit(event, 'table input.check');
  const table = box?.closest('table');
  if (!(box instanceof HTMLInputElement) || !table) return;
  if (box.closest('thead')) boxes(table).forEach(other => { other.checked = box.checked; });
  else if ((event as MouseEvent).shiftKey && last && table.contains(last)) {
    const list = boxes(table), [from, to] = [list.indexOf(last), list.indexOf(box)].sort((a, b) => a - b);
    list.slice(from, (to ?? 0) + 1).forEach(other => { other.checked = box.checked; });
  }
  if (!box.closest('thead')) last = box;
  count(table);
});
document.addEventListener('click', event => {
  const clear = hit(event, '[data-clear-chosen]');
  const table = clear && one('table', clear.closest('form') ?? document);
  if (!table) return;
  boxes(table).forEach(box => { box.checked = false; });
  count(table);
});

// Backspace in an empty filter takes the last token away, as people expect from such a field.
document.addEventListener('keydown', event => {
  const field = hit(event, '.query input[type=text]');
  if (event.key === 'Backspace' && field instanceof HTMLInputElement && field.value === '') all<HTMLAnchorElement>('.tok a', field.closest('.query') ?? document).at(-1)?.click();
});

const fill = (range: HTMLInputElement): void => range.style.setProperty('--v', `${(Number(range.value) - Number(range.min)) / (Number(range.max) - Number(range.min)) * 100}%`);
document.addEventListener('input', event => { const range = hit(event, '.range'); if (range instanceof HTMLInputElement) fill(range); });
all<HTMLInputElement>('.range').forEach(fill);
all<HTMLInputElement>('[data-indeterminate]').forEach(box => { box.indeterminate = true; });

// "Find in this list" fields that hide rows on the page: for short lists that are all here.
document.addEventListener('input', event => {
  const field = hit(event, '[data-find]');
  if (!(field instanceof HTMLInputElement)) return;
  const words = field.value.trim().toLowerCase();
  all(`${field.dataset.find ?? ''} > *`).forEach(row => { row.hidden = words !== '' && !(row.textContent ?? '').toLowerCase().includes(words); });
});
