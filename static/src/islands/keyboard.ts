// Single keys: go to a section, filter, move in a list, act on an object. Off while somebody types, and for who switched them off.
import { all, hit, one, remember, typing } from './dom.ts';
import { openDialog } from './overlays.ts';
import { switchTheme, toggleRail } from './settings.ts';

const GO_MS = 1200;
let goSince = 0;

const rows = (): HTMLTableRowElement[] => all<HTMLTableRowElement>('table.dt[data-rows] tbody tr').filter(row => row.offsetParent !== null);
const rowHere = (): HTMLTableRowElement | null => document.activeElement?.closest('tr') ?? null;
const press = (selector: string): void => one(selector)?.click();
const open = (selector: string): void => { const dialog = one<HTMLDialogElement>(selector); if (dialog) openDialog(dialog); };

/** Move the focus by some rows; the row that has it now. */
const walk = (by: number): HTMLTableRowElement | undefined => {
  const list = rows(), at = list.findIndex(row => row.contains(document.activeElement));
  const row = list[at < 0 ? 0 : Math.max(0, Math.min(list.length - 1, at + by))];
  if (row) {
    one('a.name, td a, th a, input', row)?.focus();
    row.scrollIntoView({ block: 'nearest' });
  }
  return row;
};
const check = (row: Element | null | undefined, on?: boolean): void => {
  const box = row && one<HTMLInputElement>('input.check', row);
  if (box && (on === undefined || box.checked !== on)) box.click();
};
const selectTo = (by: number): void => {
  check(rowHere(), true);
  check(walk(by), true);
};

const comment = (): void => {
  const field = one('bh-comments > .composer textarea');
  if (field && field.offsetParent === null) toggleRail();
  field?.focus();
};

const KEYS: Record<string, () => void> = {
  g: () => { goSince = Date.now(); },
  '?': () => open('#keys'),
  D: switchTheme,
  ']': toggleRail,
  '/': () => one('.query input[type=text], .query input:not([type]), .search input')?.focus(),
  j: () => void walk(1),
  k: () => void walk(-1),
  x: () => check(rowHere()),
  c: () => press('[data-key-action=compare], [data-key-action=commit]'),
  b: () => press('[data-key-action=branches]'),
  t: () => one('[data-key-action=find]')?.focus(),
  s: () => press('[data-key-action=save-view]'),
  p: () => press('[data-key-action=share]'),
  y: () => press('[data-key-action=copy-link]'),
  Y: () => press('#copy .code-h [data-copy]'),
  m: comment,
  '*': () => press('.oh .star'),
};

const isOff = (): boolean => document.cookie.split('; ').includes('keys=off');

document.addEventListener('keydown', event => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'k') {
    // The editor has a Ctrl K of its own.
    if (one('#palette')) { event.preventDefault(); open('#palette'); }
    return;
  }
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event) || one('dialog[open]') || isOff()) return;
  if (Date.now() - goSince < GO_MS) {
    goSince = 0;
    const link = one<HTMLAnchorElement>(`.sidenav a[data-key="${CSS.escape(event.key)}"]`);
    if (link) { location.assign(link.href); return; }
  }
  if (event.shiftKey && (event.key === 'ArrowDown' || event.key === 'ArrowUp') && rowHere()) {
    event.preventDefault();
    selectTo(event.key === 'ArrowDown' ? 1 : -1);
    return;
  }
  const section = /^[1-9]$/.test(event.key) ? all('.oh .tabs > a')[Number(event.key) - 1] : undefined;
  const act = section ? () => section.click() : KEYS[event.key];
  if (act) { event.preventDefault(); act(); }
});

// Who dictates, or whose hands rest on the keys, switches the single keys off.
document.addEventListener('change', event => {
  const box = hit(event, '[data-single-keys]');
  if (box instanceof HTMLInputElement) remember('keys', box.checked ? 'on' : 'off');
});
const box = one<HTMLInputElement>('[data-single-keys]');
if (box) box.checked = !isOff();
