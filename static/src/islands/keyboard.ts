// Single keys: go to a section, filter, move in a list, act on an object. Off while somebody types.
import { all, one, typing } from './dom.ts';
import { openDialog } from './overlays.ts';
import { switchTheme, toggleRail } from './settings.ts';

let goSince = 0;
const rows = (): HTMLTableRowElement[] => all<HTMLTableRowElement>('table.dt[data-rows] tbody tr').filter(row => row.offsetParent !== null);

const walk = (by: number): void => {
  const list = rows();
  if (!list.length) return;
  const at = list.findIndex(row => row.contains(document.activeElement));
  const row = list[Math.max(0, Math.min(list.length - 1, at + by))];
  one('a.name, a', row)?.focus();
  row?.scrollIntoView({ block: 'nearest' });
};
const press = (selector: string): boolean => { const target = one(selector); target?.click(); return target !== null; };

document.addEventListener('keydown', event => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
    const palette = one<HTMLDialogElement>('#palette');
    if (palette) { event.preventDefault(); openDialog(palette); }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event) || one('dialog[open]')) return;
  if (Date.now() - goSince < 1200) {
    goSince = 0;
    const link = one<HTMLAnchorElement>(`.sidenav a[data-key="${CSS.escape(event.key)}"]`);
    if (link) { location.assign(link.href); return; }
  }
  const section = /^[1-9]$/.test(event.key) ? all('.oh .tabs > a')[Number(event.key) - 1] : undefined;
  if (section) { section.click(); return; }
  const keys: Record<string, () => void> = {
    g: () => { goSince = Date.now(); },
    '?': () => { const dialog = one<HTMLDialogElement>('#keys'); if (dialog) openDialog(dialog); },
    D: switchTheme,
    ']': toggleRail,
    '/': () => one('.query input[type=text], .query input:not([type])')?.focus(),
    j: () => walk(1),
    k: () => walk(-1),
    x: () => { const box = one<HTMLInputElement>('input.check', (document.activeElement?.closest('tr') ?? document.createElement('p'))); box?.click(); },
    c: () => press('[data-key-action=compare]'),
    p: () => press('[data-key-action=share]'),
    y: () => press('[data-key-action=copy-link]'),
    Y: () => press('[data-key-action=copy-snippet]'),
    m: () => one('.composer textarea')?.focus(),
    '*': () => press('.oh .star'),
  };
  const act = keys[event.key];
  if (act) { event.preventDefault(); act(); }
});
