// <bh-columns>: the column chooser. Rows are dragged, or moved with Alt and the arrow keys, to order columns; finding asks the server,
// because there may be thousands of keys. The form works without it.
import { all, one } from '../dom.ts';

const WAIT_MS = 150;

class Columns extends HTMLElement {
  #dragged: HTMLElement | null = null;
  #timer = 0;

  connectedCallback(): void {
    this.addEventListener('click', event => {
      const button = event.target instanceof Element ? event.target.closest('[data-all-columns]') : null;
      const boxes = button ? all<HTMLInputElement>('input[name=c]', button.closest('fieldset') ?? this) : [];
      const on = boxes.some(box => !box.checked);
      boxes.slice(0, 40).forEach(box => { box.checked = on; });
    });
    this.addEventListener('dragstart', event => { this.#dragged = (event.target as Element).closest<HTMLElement>('.opt'); });
    this.addEventListener('dragover', event => {
      const over = (event.target as Element).closest<HTMLElement>('.opt');
      if (!over || !this.#dragged || over.parentElement !== this.#dragged.parentElement) return;
      event.preventDefault();
      if (over !== this.#dragged) over[over.compareDocumentPosition(this.#dragged) & Node.DOCUMENT_POSITION_FOLLOWING ? 'before' : 'after'](this.#dragged);
    });
    this.addEventListener('dragend', () => { this.#dragged = null; });
    this.addEventListener('keydown', event => {
      const row = event.target instanceof Element ? event.target.closest<HTMLElement>('.opt') : null;
      if (!row || !event.altKey || !['ArrowUp', 'ArrowDown'].includes(event.key)) return;
      const other = (event.key === 'ArrowUp' ? row.previousElementSibling : row.nextElementSibling);
      if (other?.matches('.opt')) other[event.key === 'ArrowUp' ? 'before' : 'after'](row);
      (event.target as HTMLElement).focus();
      event.preventDefault();
    });
    const find = one<HTMLInputElement>('[data-find-columns]', this);
    find?.addEventListener('input', () => { clearTimeout(this.#timer); this.#timer = window.setTimeout(() => void this.#find(find), WAIT_MS); });
  }

  /** Rows that match, without those that are ticked: these stay, whatever one looks for. */
  async #find(find: HTMLInputElement): Promise<void> {
    const address = find.getAttribute('hx-get') ?? '';
    const chosen = all<HTMLInputElement>('input[name=c]:checked', this).map(box => box.closest<HTMLElement>('.opt'));
    const query = new URLSearchParams(chosen.map(row => ['c', one<HTMLInputElement>('input', row ?? this)?.value ?? '']));
    query.set('find', find.value);
    const answer = await fetch(`${address}&${query}`, { headers: { 'HX-Request': 'true', 'HX-Request-Type': 'partial' } });
    if (!answer.ok) return;
    const grid = one('.colgrid', new DOMParser().parseFromString(await answer.text(), 'text/html')), mine = one('.colgrid', this);
    if (!grid || !mine) return;
    const kept = new Set(all<HTMLInputElement>('input[name=c]:checked', grid).map(box => box.value));
    for (const row of chosen) {
      const value = row && one<HTMLInputElement>('input', row)?.value;
      if (!row || !value || kept.has(value)) continue;
      row.hidden = true;
      (one('fieldset', grid) ?? grid).append(row);
    }
    mine.replaceChildren(...grid.childNodes);
  }
}
customElements.define('bh-columns', Columns);
