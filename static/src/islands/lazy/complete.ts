// <bh-complete src>: a search box that offers fields, keys and values while one types. The box works without it: it is a form field.
import { one } from '../dom.ts';

interface Item { text: string; kind: string }
// The part being typed at the caret: a field, or a value once a comparison sign has come.
const VALUE = /([A-Za-z_]\w*(?:\.(?:`[^`]+`|[^\s<>=!~:()"'`,]+))?)\s*(?::>=|:<=|:>|:<|:|<=|>=|!=|=|<|>|~)\s*("[^"]*|'[^']*|[^\s,()"']*)$/;
const FIELD = /-?([A-Za-z_]\w*(?:\.(?:`[^`]*`?|[^\s<>=!~:()"'`,]*))?)$/;
const WAIT_MS = 120;

class Complete extends HTMLElement {
  #timer = 0;
  #asked = 0;
  #active = -1;

  get #field(): HTMLInputElement | null { return one<HTMLInputElement>('input[type=text]', this); }
  get #list(): HTMLElement | null { return one('[role=listbox]', this); }

  connectedCallback(): void {
    const field = this.#field;
    field?.addEventListener('input', () => { clearTimeout(this.#timer); this.#timer = window.setTimeout(() => void this.#ask(), WAIT_MS); });
    field?.addEventListener('focus', () => { if (field.value === '') void this.#ask(); });
    field?.addEventListener('blur', () => setTimeout(() => this.#close(), 150));
    field?.addEventListener('keydown', this.#key);
    this.#list?.addEventListener('mousedown', event => {
      const option = event.target instanceof Element ? event.target.closest<HTMLElement>('[role=option]') : null;
      if (option) { event.preventDefault(); this.#take(option.dataset.text ?? ''); }
    });
  }

  async #ask(): Promise<void> {
    const field = this.#field;
    if (!field || document.activeElement !== field) return;
    const before = field.value.slice(0, field.selectionStart ?? field.value.length);
    const value = VALUE.exec(before), name = value ? null : FIELD.exec(before);
    if (!value && !name && before.trim() !== '' && !before.endsWith(' ')) return this.#close();
    const query = new URLSearchParams(value ? { field: value[1] ?? '', text: value[2] ?? '' } : { text: name?.[1] ?? '' });
    const mine = ++this.#asked;
    try {
      const answer = await fetch(`${this.getAttribute('src')}?${query}`);
      if (mine !== this.#asked || !answer.ok) return;
      this.#show((await answer.json() as { items: Item[] }).items);
    } catch { this.#close(); }
  }

  #show(items: Item[]): void {
    const list = this.#list;
    if (!list) return;
    this.#active = -1;
    list.replaceChildren(...items.map((item, place) => {
      const option = document.createElement('div');
      option.id = `completion-${place}`;
      option.setAttribute('role', 'option');
      option.dataset.text = item.text;
      option.append(item.text, Object.assign(document.createElement('span'), { className: 'subtle t11', textContent: item.kind }));
      return option;
    }));
    list.hidden = items.length === 0;
    this.#field?.setAttribute('aria-expanded', String(!list.hidden));
  }

  #key = (event: KeyboardEvent): void => {
    const list = this.#list;
    if (!list || list.hidden) return;
    const options = [...list.children] as HTMLElement[];
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      this.#active = (this.#active + (event.key === 'ArrowDown' ? 1 : -1) + options.length) % options.length;
      options.forEach((option, place) => option.setAttribute('aria-selected', String(place === this.#active)));
      options[this.#active]?.scrollIntoView({ block: 'nearest' });
      this.#field?.setAttribute('aria-activedescendant', options[this.#active]?.id ?? '');
      event.preventDefault();
    } else if ((event.key === 'Tab' && !event.shiftKey || event.key === 'Enter') && this.#active >= 0) {
      this.#take(options[this.#active]?.dataset.text ?? '');
      event.preventDefault();
    } else if (event.key === 'Escape') { this.#close(); event.stopPropagation(); }
  };

  #take(text: string): void {
    const field = this.#field;
    if (!field) return;
    const at = field.selectionStart ?? field.value.length, before = field.value.slice(0, at), after = field.value.slice(at);
    const value = VALUE.exec(before), part = value ? value[2] ?? '' : FIELD.exec(before)?.[1] ?? '';
    const head = before.slice(0, before.length - part.length) + text + (value ? ' ' : text.endsWith('.') ? '' : ' ');
    field.value = head + after;
    field.setSelectionRange(head.length, head.length);
    this.#close();
    if (!value) void this.#ask();
  }

  #close(): void {
    const list = this.#list;
    if (list) list.hidden = true;
    this.#active = -1;
    this.#field?.setAttribute('aria-expanded', 'false');
    this.#field?.removeAttribute('aria-activedescendant');
  }
}
customElements.define('bh-complete', Complete);
