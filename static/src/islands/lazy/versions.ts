// <bh-versions mode="one|two" target="id">: the time line. Handles move by mouse and arrow keys; what they choose goes into the
// address and the target shows it anew. Without script the marks are links.
import { all, one } from '../dom.ts';

const WAIT_MS = 220;

class Versions extends HTMLElement {
  #marks: HTMLAnchorElement[] = [];
  #chosen = { a: -1, b: -1 };
  #timer = 0;
  #asked: AbortController | null = null;

  connectedCallback(): void {
    this.#marks = all<HTMLAnchorElement>('.tt-pt', this);
    this.#chosen = { a: this.#at('a'), b: this.#at('b') };
    this.#show();
    this.addEventListener('click', event => this.#click(event));
    this.addEventListener('keydown', event => this.#key(event));
    this.addEventListener('pointerdown', event => this.#drag(event));
  }

  get #two(): boolean { return this.getAttribute('mode') === 'two'; }
  #at(name: string): number { return this.#marks.findIndex(mark => mark.classList.contains(name)); }
  #place(target: EventTarget | null): number {
    const mark = target instanceof Element ? target.closest<HTMLAnchorElement>('.tt-pt') : null;
    return mark ? this.#marks.indexOf(mark) : -1;
  }

  #click(event: MouseEvent): void {
    const place = this.#place(event.target);
    if (place < 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.#move(this.#nearest(place), place);
  }

  /** The handle that a click on a mark moves: the nearer one, B where both are as near. */
  #nearest(place: number): 'a' | 'b' {
    if (!this.#two || this.#chosen.a < 0) return 'b';
    return Math.abs(this.#chosen.a - place) < Math.abs(this.#chosen.b - place) ? 'a' : 'b';
  }

  #key(event: KeyboardEvent): void {
    const place = this.#place(event.target);
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 5, PageDown: -5, Home: -1e6, End: 1e6 }[event.key];
    if (place < 0 || step === undefined) return;
    event.preventDefault();
    const name = this.#two && place === this.#chosen.a ? 'a' : 'b';
    const next = Math.max(0, Math.min(this.#marks.length - 1, (place === this.#chosen[name] ? place : this.#chosen[name]) + step));
    this.#move(name, next);
    this.#marks[next]?.focus();
  }

  #drag(start: PointerEvent): void {
    const place = this.#place(start.target);
    const name = place >= 0 && place === this.#chosen.b ? 'b' : place >= 0 && place === this.#chosen.a ? 'a' : null;
    if (!name || start.button !== 0) return;
    start.preventDefault();
    this.#marks[place]?.focus({ preventScroll: true });
    document.body.classList.add('dragging');
    const move = (event: PointerEvent): void => {
      const track = one('.tt-track', this)?.getBoundingClientRect();
      if (!track) return;
      const next = Math.floor((event.clientX - track.left) / track.width * this.#marks.length);
      this.#move(name, Math.max(0, Math.min(this.#marks.length - 1, next)));
    };
    const end = (): void => {
      document.body.classList.remove('dragging');
      removeEventListener('pointermove', move);
      removeEventListener('pointerup', end);
      removeEventListener('pointercancel', end);
      // The click that ends a drag is not one on a mark.
      addEventListener('click', event => { if (this.contains(event.target as Node)) { event.preventDefault(); event.stopImmediatePropagation(); } }, { capture: true, once: true });
      setTimeout(() => this.#marks[this.#chosen[name]]?.focus({ preventScroll: true }));
    };
    addEventListener('pointermove', move);
    addEventListener('pointerup', end);
    addEventListener('pointercancel', end);
  }

  #move(name: 'a' | 'b', place: number): void {
    if (this.#chosen[name] === place) return;
    this.#chosen[name] = place;
    this.#show();
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#go(), WAIT_MS);
  }

  #show(): void {
    const { a, b } = this.#chosen;
    const [from, to] = [Math.min(a, b), Math.max(a, b)];
    this.#marks.forEach((mark, place) => {
      mark.classList.toggle('a', this.#two && place === a && a !== b);
      mark.classList.toggle('b', place === b);
      mark.classList.toggle('mid', this.#two && a >= 0 && place > from && place < to);
      if (place === b) mark.setAttribute('aria-current', 'true'); else mark.removeAttribute('aria-current');
    });
    const range = one('.tt-range', this);
    if (range) {
      range.hidden = a < 0 || a === b;
      range.style.setProperty('--from', String(from));
      range.style.setProperty('--to', String(to));
    }
    const chosen = [a, b].map(place => this.#marks[place]?.dataset.version);
    all('tr[data-version]').forEach(row => row.setAttribute('aria-selected', String(chosen.includes(row.dataset.version))));
  }

  async #go(): Promise<void> {
    const target = document.getElementById(this.getAttribute('target') ?? '');
    if (!target) return;
    const url = new URL(location.href);
    for (const name of ['rows', 'page', 'timestamp', 'order']) url.searchParams.delete(name);
    const version = (place: number): string => this.#marks[place]?.dataset.version ?? '';
    if (this.#two) {
      if (this.#chosen.a >= 0) url.searchParams.set('a', version(this.#chosen.a));
      url.searchParams.set('b', version(this.#chosen.b));
    } else url.searchParams.set('version', version(this.#chosen.b));
    this.#asked?.abort();
    this.#asked = new AbortController();
    target.setAttribute('aria-busy', 'true');
    try {
      const answer = await fetch(url, { signal: this.#asked.signal, headers: { 'HX-Request': 'true', 'HX-Request-Type': 'partial', 'HX-Target': `div#${target.id}` } });
      if (!answer.ok) { location.assign(url); return; }
      target.innerHTML = await answer.text();
      history.replaceState(history.state, '', url);
    } catch (error) {
      if (!(error instanceof DOMException && error.name === 'AbortError')) location.assign(url);
      return;
    }
    target.removeAttribute('aria-busy');
  }
}
customElements.define('bh-versions', Versions);
