// <bh-log src="…">: a log. `src` answers ?after=<line> with {lines: [{n, at, level, text}], done, more}; with `wait`, the server holds its
// answer back until there is something new. `more` answers ?before=<line> and ?find=<words>. Follows until one scrolls up; End returns.
import { all, icon, one } from './dom.ts';

export interface LogLine { n: number; at?: string | null; level?: string | null; text: string }
interface LogAnswer { lines: LogLine[]; done?: boolean; more?: boolean }

const KEPT = 5000;
const ROWS = ':scope > div:not(.tail, .earlier, [data-log-empty])';

export const tone = (line: LogLine): string => {
  const level = (line.level ?? '').toUpperCase();
  return /^(ERROR|CRITICAL|FATAL)/.test(level) ? 'e' : level.startsWith('WARN') ? 'w' : '';
};
export const clock = (at: string | null | undefined): string => (at ? /T(\d\d:\d\d:\d\d)/.exec(at)?.[1] ?? '' : '');

const cell = (name: string, text: string, cls = ''): HTMLElement => Object.assign(document.createElement(name), { textContent: text, className: cls });

const rowOf = (line: LogLine): HTMLElement => {
  const row = cell('div', '', tone(line));
  row.append(cell('span', String(line.n)), cell('time', clock(line.at)), cell('span', line.level ?? '', 'lv'), cell('span', line.text));
  return row;
};

const asked = async (address: string, query: string): Promise<LogAnswer> => {
  const answer = await fetch(`${address}${address.includes('?') ? '&' : '?'}${query}`, { headers: { Accept: 'application/json' } });
  if (!answer.ok) throw Object.assign(new Error(String(answer.status)), { status: answer.status });
  return await answer.json() as LogAnswer;
};

export class LogView extends HTMLElement {
  #after = 0;
  #timer = 0;
  #finding = 0;
  #quiet = 0;
  #follow = true;
  #hits: HTMLElement[] = [];
  #at = -1;
  #box: HTMLElement | null = null;

  connectedCallback(): void {
    const box = this.#box = one('.log', this);
    if (!box) return;
    this.#after = Number(this.getAttribute('after')) || 0;
    box.addEventListener('scroll', () => { this.#follow = box.scrollHeight - box.scrollTop - box.clientHeight < 24; }, { passive: true });
    this.addEventListener('keydown', event => this.#key(event));
    one('[data-log-earlier]', this)?.addEventListener('click', () => void this.#earlier());
    const find = this.#part<HTMLInputElement>('find');
    find?.addEventListener('input', () => this.#find(find.value));
    find?.addEventListener('keydown', event => { if (event.key === 'Enter') { event.preventDefault(); this.#step(event.shiftKey ? -1 : 1); } });
    this.#part('wrap')?.addEventListener('click', event => this.#wrap(event.currentTarget as HTMLElement));
    this.#part('full')?.addEventListener('click', () => void (document.fullscreenElement ? document.exitFullscreen() : (this.closest('.card') ?? this).requestFullscreen()));
    all('[data-step]', this.#part('errors') ?? document.createElement('i')).forEach(button => button.addEventListener('click', () => this.#toError(Number(button.dataset.step))));
    this.#countErrors();
    const wanted = one('#line', box);
    if (wanted) this.#show(wanted);
    else this.#toEnd();
    if (this.hasAttribute('src')) void this.#ask();
  }
  disconnectedCallback(): void { clearTimeout(this.#timer); clearTimeout(this.#finding); }

  #part<T extends HTMLElement = HTMLElement>(name: string): T | null { return one<T>(`[data-log-${name}="${CSS.escape(this.id)}"]`); }
  #rows(): HTMLElement[] { return this.#box ? all(ROWS, this.#box) : []; }

  async #ask(): Promise<void> {
    const seconds = Number(this.getAttribute('wait')) || 0;
    let pause = 1000;
    try {
      const log = await asked(this.getAttribute('src') ?? '', `after=${this.#after}${seconds && !document.hidden ? `&wait=${seconds}` : ''}`);
      this.#add(log.lines);
      this.#quiet = log.lines.length ? 0 : this.#quiet + 1;
      if (log.done && !log.more) return this.#end('');
      pause = log.more ? 0 : seconds ? 250 : Math.min(5000, 1000 + this.#quiet * 500);
    } catch (error) {
      if ([401, 403, 404].includes((error as { status?: number }).status ?? 0)) return this.#end('This log is not here any more.');
      this.#quiet += 1;
      pause = Math.min(30000, 1000 * 2 ** Math.min(this.#quiet, 5));
    }
    if (this.isConnected) this.#timer = window.setTimeout(() => void this.#ask(), document.hidden ? Math.max(pause, 5000) : pause);
  }

  #add(lines: LogLine[]): void {
    const box = this.#box;
    const fresh = lines.filter(line => line.n > this.#after);
    if (!box || !fresh.length) return;
    this.#after = fresh.at(-1)?.n ?? this.#after;
    const tail = one('.tail', box);
    fresh.forEach(line => box.insertBefore(rowOf(line), tail));
    const rows = this.#rows();
    rows.slice(0, Math.max(0, rows.length - KEPT)).forEach(row => row.remove());
    one('[data-log-empty]', box)?.remove();
    this.#countErrors();
    const find = this.#part<HTMLInputElement>('find');
    if (find?.value) this.#mark(find.value);
    if (this.#follow) this.#toEnd();
  }

  async #earlier(): Promise<void> {
    const box = this.#box, head = box && one('.earlier', box), first = Number(this.#rows()[0]?.firstElementChild?.textContent);
    if (!box || !head || !first) return;
    const log = await asked(this.getAttribute('more') ?? '', `before=${first}`);
    const below = box.scrollHeight - box.scrollTop;
    head.after(...log.lines.map(rowOf));
    const hint = one('.subtle', head);
    if (hint) hint.textContent = `${((log.lines[0]?.n ?? 1) - 1).toLocaleString('en')} stand before this`;
    if (!log.more) head.remove();
    box.scrollTop = box.scrollHeight - below;
    this.#countErrors();
  }

  #end(text: string): void {
    const tail = this.#box && one('.tail', this.#box);
    if (!tail) return;
    if (text) tail.replaceChildren(cell('span', ''), icon('circle-alert', 's'), cell('span', ''), cell('span', text, 'subtle'));
    else tail.remove();
    this.dispatchEvent(new CustomEvent('bh:log-done', { bubbles: true }));
  }

  #toEnd(): void { if (this.#box) this.#box.scrollTop = this.#box.scrollHeight; }

  #show(row: HTMLElement): void {
    const box = this.#box;
    if (!box) return;
    this.#follow = false;
    all('[aria-current]', box).forEach(other => other.removeAttribute('aria-current'));
    row.setAttribute('aria-current', 'true');
    box.scrollTop = row.offsetTop - box.offsetTop - box.clientHeight / 2;
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'End') { this.#follow = true; this.#toEnd(); }
    else if (event.key === 'n') this.#toError(1);
    else if (event.key === 'p') this.#toError(-1);
    else return;
    event.stopPropagation();
  }

  // Errors
  #errors(): HTMLElement[] { return this.#rows().filter(row => row.classList.contains('e')); }
  #countErrors(): void {
    const group = this.#part('errors'), count = this.#errors().length;
    if (!group) return;
    group.hidden = count === 0;
    const label = one('span', group);
    if (label) label.textContent = count === 1 ? '1 error' : `${count} errors`;
  }
  #toError(step: number): void {
    const errors = this.#errors();
    const now = errors.findIndex(row => row.hasAttribute('aria-current'));
    const next = errors.at(now < 0 ? (step > 0 ? 0 : -1) : (now + step) % errors.length);
    if (next) this.#show(next);
  }

  // Words
  #find(words: string): void {
    this.#mark(words);
    if (this.#hits[0]) { this.#at = -1; this.#step(1); }
    clearTimeout(this.#finding);
    const first = Number(this.#rows()[0]?.firstElementChild?.textContent) || 1;
    if (words && first > 1 && this.hasAttribute('more')) this.#finding = window.setTimeout(() => void this.#findEarlier(words, first), 300);
  }

  async #findEarlier(words: string, first: number): Promise<void> {
    const log = await asked(this.getAttribute('more') ?? '', `find=${encodeURIComponent(words)}`);
    const earlier = log.lines.filter(line => line.n < first).length;
    if (earlier) this.#say(`${this.#hits.length} here, ${earlier}${log.more ? ' or more' : ''} earlier`);
  }

  #mark(words: string): void {
    const wanted = words.toLowerCase();
    this.#hits = [];
    for (const row of this.#rows()) {
      const last = row.lastElementChild;
      const text = last?.textContent ?? '';
      const at = wanted ? text.toLowerCase().indexOf(wanted) : -1;
      if (at >= 0) {
        last?.replaceChildren(text.slice(0, at), Object.assign(document.createElement('mark'), { textContent: text.slice(at, at + wanted.length) }), text.slice(at + wanted.length));
        this.#hits.push(row);
      } else if (last?.firstElementChild) last.textContent = text;
    }
    this.#say(wanted ? (this.#hits.length ? `${this.#hits.length}` : 'none') : '');
  }

  #step(step: number): void {
    const count = this.#hits.length;
    if (!count) return;
    this.#at = (this.#at + step + count) % count;
    const row = this.#hits[this.#at];
    if (row) this.#show(row);
    this.#say(`${this.#at + 1} of ${count}`);
  }

  #say(text: string): void {
    const place = this.#part('count');
    if (place) place.textContent = text;
  }

  #wrap(button: HTMLElement): void {
    const on = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(on));
    this.#box?.classList.toggle('nowrap', !on);
  }
}
customElements.define('bh-log', LogView);
