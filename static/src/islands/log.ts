// <bh-log src="…">: follows a log. The address answers ?after=<line> with {lines: [{n, at, level, text}], done}.
// Follows until one scrolls up; End returns. Asks again after a second, or later when nothing comes.
import { all, icon, one } from './dom.ts';

export interface LogLine { n: number; at?: string | null; level?: string | null; text: string }
interface LogAnswer { lines: LogLine[]; done: boolean; more?: boolean }

const KEPT = 5000;
export const tone = (line: LogLine): string => {
  const level = (line.level ?? '').toUpperCase();
  return /^(ERROR|CRITICAL|FATAL)/.test(level) ? 'e' : level.startsWith('WARN') ? 'w' : '';
};
export const clock = (at: string | null | undefined): string => (at ? /T(\d\d:\d\d:\d\d)/.exec(at)?.[1] ?? '' : '');

export class LogView extends HTMLElement {
  #after = 0;
  #timer = 0;
  #quiet = 0;
  #follow = true;
  #box: HTMLElement | null = null;

  connectedCallback(): void {
    this.#box = one('.log', this);
    if (!this.#box) return;
    this.#after = Number(this.getAttribute('after')) || 0;
    this.#box.addEventListener('scroll', () => { const box = this.#box; if (box) this.#follow = box.scrollHeight - box.scrollTop - box.clientHeight < 24; }, { passive: true });
    this.addEventListener('keydown', event => { if (event.key === 'End') { this.#follow = true; this.#toEnd(); } });
    const find = one<HTMLInputElement>(`[data-log-find="${CSS.escape(this.id)}"]`);
    find?.addEventListener('input', () => this.#find(find.value));
    one(`[data-log-wrap="${CSS.escape(this.id)}"]`)?.addEventListener('click', event => this.#wrap(event.currentTarget as HTMLElement));
    this.#toEnd();
    if (this.hasAttribute('src')) void this.#ask();
  }
  disconnectedCallback(): void { clearTimeout(this.#timer); }

  async #ask(): Promise<void> {
    const src = this.getAttribute('src') ?? '';
    let wait = 1000;
    try {
      const answer = await fetch(`${src}${src.includes('?') ? '&' : '?'}after=${this.#after}`, { headers: { Accept: 'application/json' } });
      if (answer.status === 404 || answer.status === 401 || answer.status === 403) return this.#end('This log is not here any more.');
      if (!answer.ok) throw new Error(String(answer.status));
      const log = await answer.json() as LogAnswer;
      this.#add(log.lines);
      this.#quiet = log.lines.length ? 0 : this.#quiet + 1;
      if (log.done && !log.more) return this.#end('');
      wait = log.more ? 0 : Math.min(5000, 1000 + this.#quiet * 500);
    } catch { this.#quiet += 1; wait = Math.min(30000, 1000 * 2 ** Math.min(this.#quiet, 5)); }
    if (this.isConnected) this.#timer = window.setTimeout(() => void this.#ask(), document.hidden ? Math.max(wait, 5000) : wait);
  }

  #add(lines: LogLine[]): void {
    const box = this.#box;
    if (!box || !lines.length) return;
    const tail = one('.tail', box);
    const piece = document.createDocumentFragment();
    for (const line of lines) {
      if (line.n <= this.#after) continue;
      this.#after = line.n;
      const row = document.createElement('div');
      const kind = tone(line);
      if (kind) row.className = kind;
      const cell = (name: string, text: string, cls = ''): HTMLElement => { const element = document.createElement(name); element.textContent = text; if (cls) element.className = cls; return element; };
      row.append(cell('span', String(line.n)), cell('time', clock(line.at)), cell('span', line.level ?? '', 'lv'), cell('span', line.text));
      piece.append(row);
    }
    box.insertBefore(piece, tail);
    const rows = all(':scope > div:not(.tail)', box);
    rows.slice(0, Math.max(0, rows.length - KEPT)).forEach(row => row.remove());
    one('[data-log-empty]', box)?.remove();
    if (this.#follow) this.#toEnd();
  }

  #end(text: string): void {
    const tail = this.#box && one('.tail', this.#box);
    if (!tail) return;
    if (!text) { tail.remove(); } else {
      tail.replaceChildren(document.createElement('span'), icon('circle-alert', 's'), document.createElement('span'), Object.assign(document.createElement('span'), { textContent: text, className: 'subtle' }));
    }
    this.dispatchEvent(new CustomEvent('bh:log-done', { bubbles: true }));
  }

  #toEnd(): void { if (this.#box) this.#box.scrollTop = this.#box.scrollHeight; }

  #find(words: string): void {
    if (!this.#box) return;
    const wanted = words.toLowerCase();
    all(':scope > div:not(.tail)', this.#box).forEach(row => {
      const cell = row.lastElementChild;
      if (!cell) return;
      const text = cell.textContent ?? '';
      const at = wanted ? text.toLowerCase().indexOf(wanted) : -1;
      row.hidden = wanted !== '' && at < 0;
      if (at < 0) { cell.textContent = text; return; }
      const mark = Object.assign(document.createElement('mark'), { textContent: text.slice(at, at + wanted.length) });
      cell.replaceChildren(text.slice(0, at), mark, text.slice(at + wanted.length));
    });
  }

  #wrap(button: HTMLElement): void {
    const on = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(on));
    this.#box?.classList.toggle('nowrap', !on);
  }
}
customElements.define('bh-log', LogView);
