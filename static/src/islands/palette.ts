// Search and commands: what the server finds among things and pages, and the actions that this page already has.
import { all, hit, icon, one } from './dom.ts';
import { openDialog } from './overlays.ts';
import { switchTheme } from './settings.ts';

interface Command { title: string; icon: string; keys: string; run: () => void }

const WAIT_MS = 80;
const SHOWN = 8;

/** The icon of a control, as the server printed it. */
const iconOf = (source: Element, otherwise: string): string =>
  one('use', source)?.getAttribute('href')?.split('#i-')[1] ?? otherwise;

/** What one can do here: controls with data-command, the sections of the page, and what every page has. */
const commands = (): Command[] => [
  ...all<HTMLButtonElement>('[data-command]').filter(source => !source.disabled).map(source => ({
    title: source.dataset.command ?? '',
    icon: iconOf(source, 'corner-down-right'),
    keys: source.dataset.keys ?? '',
    run: () => source.click(),
  })),
  ...all<HTMLAnchorElement>('.oh .tabs > a').map((tab, index) => ({
    title: `Section: ${tab.firstChild?.textContent?.trim() ?? ''}`,
    icon: 'corner-down-right',
    keys: index < 9 ? String(index + 1) : '',
    run: () => tab.click(),
  })),
  { title: 'Switch theme', icon: 'moon', keys: 'Shift D', run: switchTheme },
  { title: 'Keyboard shortcuts', icon: 'keyboard', keys: '?', run: () => { const keys = one<HTMLDialogElement>('#keys'); if (keys) openDialog(keys); } },
  ...all<HTMLButtonElement>('#account form button').map(button => ({
    title: button.textContent?.trim() ?? '', icon: 'log-out', keys: '', run: () => button.click(),
  })),
];

/** How well a title fits, as the server ranks names: 0 is the very words, 5 its letters with others between, null not at all. */
export const rank = (title: string, typed: string): number | null => {
  const name = title.toLowerCase(), text = typed.trim().toLowerCase();
  if (!text || name === text) return 0;
  if (name.startsWith(text)) return 1;
  const at = name.indexOf(text);
  if (at > 0) return /[^a-z0-9]/.test(name[at - 1] ?? '') ? 2 : 3;
  if (text.split(/\s+/).every(word => name.includes(word))) return 4;
  let from = 0;
  for (const letter of text) {
    from = name.indexOf(letter, from) + 1;
    if (from === 0) return null;
  }
  return text.length > 3 ? 5 : null;
};

/** <bh-palette src="...">: wraps the dialog; results are links, so Ctrl Enter opens a new tab. */
class Palette extends HTMLElement {
  #asked = 0;
  #timer = 0;
  #found: Command[] = [];

  connectedCallback(): void {
    const input = one<HTMLInputElement>('input', this), dialog = one<HTMLDialogElement>('dialog', this);
    if (!input || !dialog) return;
    this.addEventListener('keydown', event => this.#move(event));
    input.addEventListener('input', () => {
      clearTimeout(this.#timer);
      this.#timer = window.setTimeout(() => void this.#show(input.value), WAIT_MS);
    });
    // `toggle` comes a moment after the dialog opens: what was typed meanwhile stays.
    dialog.addEventListener('toggle', () => { if (dialog.open) void this.#show(input.value); });
    dialog.addEventListener('close', () => { input.value = ''; });
    this.addEventListener('click', event => {
      const chosen = hit(event, '[data-run]');
      if (!chosen) return;
      event.preventDefault();
      dialog.close();
      this.#found[Number(chosen.dataset.run)]?.run();
    });
    this.addEventListener('pointermove', event => {
      const over = hit(event, '[role=option]');
      if (over) this.#choose(this.#options().indexOf(over as HTMLAnchorElement), false);
    });
  }

  async #show(text: string): Promise<void> {
    const box = one('.res', this), src = this.getAttribute('src'), asked = ++this.#asked;
    if (!box || !src) return;
    const typed = text.trim();
    let things = '', failed = false;
    try {
      const answer = await fetch(`${src}?q=${encodeURIComponent(typed)}`, { headers: { 'HX-Request': 'true' } });
      if (answer.ok) things = await answer.text();
      else failed = true;
    } catch { failed = true; }
    if (asked !== this.#asked) return;
    box.innerHTML = things;
    this.#add(box, typed);
    const options = this.#options();
    if (!options.length || failed) {
      const words = failed ? 'The server did not answer. Type again in a moment.' : 'Nothing found among what you may know of.';
      box.append(Object.assign(document.createElement('p'), { className: 'muted pad-s', textContent: words }));
    }
    const said = one('[role=status]', this);
    if (said) said.textContent = typed ? `${options.length} found` : '';
    this.#choose(0);
    box.scrollTop = 0;
  }

  /** The commands that fit: before what the server found when they fit better, or when nothing is typed after what was opened lately. */
  #add(box: Element, typed: string): void {
    const ranked = commands().map(command => ({ command, rank: rank(command.title, typed) })).filter(row => row.rank !== null);
    ranked.sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0));
    this.#found = ranked.slice(0, typed ? SHOWN : 24).map(row => row.command);
    if (!this.#found.length) return;
    const group = document.createDocumentFragment();
    group.append(Object.assign(document.createElement('div'), { className: 'over', textContent: typed ? 'Commands' : 'On this page' }));
    this.#found.forEach((command, index) => group.append(this.#row(command, index)));
    const best = one('[data-rank]', box)?.dataset.rank;
    const first = typed && (best === undefined || (ranked[0]?.rank ?? 9) < Number(best));
    const pages = one('[data-pages]', box);
    if (first) box.prepend(group);
    else if (!typed && pages) pages.before(group);
    else box.append(group);
  }

  #row(command: Command, index: number): HTMLAnchorElement {
    const row = document.createElement('a');
    row.href = '#';
    row.dataset.run = String(index);
    row.setAttribute('role', 'option');
    const tile = Object.assign(document.createElement('span'), { className: 'tile' });
    tile.append(icon(command.icon));
    const end = Object.assign(document.createElement('span'), { className: 'end' });
    for (const key of command.keys.split(' ').filter(Boolean))
      end.append(Object.assign(document.createElement('kbd'), { className: 'kbd', textContent: key }));
    row.append(tile, Object.assign(document.createElement('span'), { textContent: command.title }), end);
    return row;
  }

  #options(): HTMLAnchorElement[] { return all<HTMLAnchorElement>('[role=option]', this); }

  #choose(index: number, scroll = true): void {
    const options = this.#options();
    options.forEach((option, i) => {
      option.setAttribute('aria-selected', String(i === index));
      option.id = `palette-option-${i}`;
      option.tabIndex = -1;
    });
    if (scroll) options[index]?.scrollIntoView({ block: 'nearest' });
    const input = one('input', this);
    if (options[index]) input?.setAttribute('aria-activedescendant', `palette-option-${index}`);
    else input?.removeAttribute('aria-activedescendant');
  }

  #move(event: KeyboardEvent): void {
    const options = this.#options(), last = options.length - 1;
    const at = options.findIndex(option => option.getAttribute('aria-selected') === 'true');
    const to: Record<string, number> = { ArrowDown: at < last ? at + 1 : 0, ArrowUp: at > 0 ? at - 1 : last, PageDown: Math.min(last, at + 8), PageUp: Math.max(0, at - 8) };
    const next = to[event.key];
    if (next !== undefined) { event.preventDefault(); this.#choose(next); return; }
    if (event.key !== 'Enter') return;
    event.preventDefault();
    const option = options[at];
    if (option && (event.ctrlKey || event.metaKey) && !option.dataset.run) open(option.href, '_blank', 'noopener');
    else option?.click();
  }
}
customElements.define('bh-palette', Palette);
