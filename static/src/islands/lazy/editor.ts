// <bh-editor>: CodeMirror on one working file. Saves by itself; what is typed is kept in the browser until the server has it.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { json } from '@codemirror/lang-json';
import { markdown } from '@codemirror/lang-markdown';
import { python } from '@codemirror/lang-python';
import { sql } from '@codemirror/lang-sql';
import { yaml } from '@codemirror/lang-yaml';
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import { EditorState, type Extension } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view';
import { classHighlighter } from '@lezer/highlight';
import { icon, one, toast } from '../dom.ts';

interface Given { path: string; text: string; version: string; save: string; read: string; workspace: string; key: string; saved: string }
interface Kept { text: string; version: string; at: number }
interface Saved { version: string; mark: string; changes: number }

const QUIET = 900, RETRY = 4000;

// The content policy takes no style elements, so the editor lives in a shadow tree, whose styles are adopted sheets.
const inside = (place: HTMLElement): ShadowRoot => {
  const root = place.shadowRoot ?? place.attachShadow({ mode: 'open' });
  root.replaceChildren(...[...document.querySelectorAll<HTMLLinkElement>('link[rel=stylesheet]')].map(link => link.cloneNode()));
  return root;
};

const look = EditorView.theme({
  '&': { font: '400 .8125rem/1.6 var(--mono)', background: 'var(--sheet)', color: 'var(--fg)', minHeight: '20rem', maxHeight: 'calc(100dvh - 17rem)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.3rem', overflow: 'auto' },
  '.cm-content': { paddingBlock: '6px', caretColor: 'var(--fg)', minHeight: '20rem' },
  '.cm-gutters': { background: 'var(--sheet)', color: 'var(--fg-subtle)', border: '0', minHeight: '20rem' },
  '.cm-activeLine, .cm-activeLineGutter': { background: 'color-mix(in srgb, var(--accent) 7%, transparent)' },
  '.cm-cursor': { borderLeftColor: 'var(--fg)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { background: 'var(--selected)' },
  '.cm-panels': { background: 'var(--sunken)', color: 'var(--fg)', borderColor: 'var(--line)' },
  '.cm-textfield': { background: 'var(--sheet)', color: 'var(--fg)', border: '1px solid var(--line-control)', borderRadius: '4px' },
  '.cm-button': { background: 'var(--raised)', color: 'var(--fg)', border: '1px solid var(--line-control)', borderRadius: '4px' },
  '.cm-tooltip': { background: 'var(--overlay)', color: 'var(--fg)', border: '1px solid var(--line)', borderRadius: '6px' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { background: 'var(--selected)', color: 'var(--fg)' },
});

const language = (path: string): Extension[] => {
  const ending = path.slice(path.lastIndexOf('.') + 1).toLowerCase();
  if (ending === 'py') return [python(), indentUnit.of('    ')];
  if (ending === 'sql') return [sql()];
  if (ending === 'json' || ending === 'ipynb') return [json()];
  if (ending === 'yaml' || ending === 'yml') return [yaml()];
  if (ending === 'md') return [markdown()];
  return [];
};

class Editor extends HTMLElement {
  #given!: Given;
  #view!: EditorView;
  #version = '';
  #savedText = '';
  #timer = 0;
  #saving = false;
  #stale = false;
  #stop = new AbortController();

  connectedCallback(): void {
    const source = one<HTMLScriptElement>('script[type="application/json"]', this), place = one('[data-editor]', this);
    if (!source || !place) return;
    this.#given = JSON.parse(source.textContent ?? '{}') as Given;
    this.#version = this.#given.version;
    this.#savedText = this.#given.text;
    const kept = this.#kept();
    const root = inside(place);
    this.#view = new EditorView({ parent: root, root, state: this.#state(kept ? kept.text : this.#given.text) });
    this.#view.scrollDOM.tabIndex = 0;
    const { signal } = this.#stop;
    one('[data-theirs]', this)?.addEventListener('click', () => void this.#takeTheirs(), { signal });
    one('[data-mine]', this)?.addEventListener('click', () => void this.#forceMine(), { signal });
    one('[data-discard]', this)?.addEventListener('submit', () => { this.#savedText = this.#text(); this.#forget(); }, { signal });
    addEventListener('beforeunload', event => { if (this.#isDirty()) event.preventDefault(); }, { signal });
    document.addEventListener('visibilitychange', () => { if (document.hidden && this.#isDirty()) void this.#save(); }, { signal });
    addEventListener('online', () => { if (this.#isDirty()) void this.#save(); }, { signal });
    if (kept) {
      this.#version = kept.version;
      this.#say('warn', 'history', 'Restored what was typed here and not saved');
      void this.#save();
    } else if (this.#given.saved) this.#say('ok', 'check', `Saved ${new Date(this.#given.saved).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })}, not committed`);
    else this.#say('muted', 'check', this.#given.version ? 'As committed' : 'New, saved with the first letter');
    one('[data-discard]', this)?.toggleAttribute('hidden', !this.#given.saved);
    this.#view.focus();
  }

  disconnectedCallback(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
    this.#view?.destroy();
  }

  #state(text: string): EditorState {
    return EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(), highlightActiveLineGutter(), highlightActiveLine(), history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(),
        autocompletion(), highlightSelectionMatches(), search({ top: true }), syntaxHighlighting(classHighlighter), look, EditorState.lineSeparator.of(text.includes('\r\n') ? '\r\n' : '\n'),
        keymap.of([
          { key: 'Mod-s', run: () => { void this.#save(); return true; } },
          { key: 'Escape', run: view => { view.contentDOM.blur(); return true; } },
          ...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap, indentWithTab,
        ]),
        EditorView.contentAttributes.of({ 'aria-label': `${this.#given.path}; Escape leaves the editor` }),
        EditorView.updateListener.of(update => { if (update.docChanged) this.#changed(); }),
        ...language(this.#given.path),
      ],
    });
  }

  #text(): string { return this.#view.state.sliceDoc(); }
  #isDirty(): boolean { return this.#text() !== this.#savedText; }

  #changed(): void {
    this.#keep();
    if (this.#stale) return;
    this.#say('muted', 'loader-circle', 'Not saved yet');
    this.#later(QUIET);
  }

  #later(wait: number): void {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#save(), wait);
  }

  async #save(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#stale || !this.#isDirty()) return;
    if (this.#saving) { this.#later(QUIET); return; }
    this.#saving = true;
    const text = this.#text();
    this.#say('muted', 'loader-circle', 'Saving');
    try {
      const answer = await this.#ask(this.#given.save, { path: this.#given.path, text, version: this.#version });
      if (answer.status === 412) { await this.#meet(text); return; }
      if (!answer.ok) { await this.#refused(answer); return; }
      const saved = await answer.json() as Saved;
      this.#version = saved.version;
      this.#savedText = text;
      if (this.#isDirty()) { this.#keep(); this.#later(QUIET); } else {
        this.#forget();
        this.#say('ok', 'check', saved.mark ? 'Saved, not committed' : 'Saved, as committed');
      }
      one('[data-discard]', this)?.toggleAttribute('hidden', !saved.mark);
    } catch {
      this.#say('warn', 'cloud-off', 'No connection; kept in this browser, trying again');
      this.#later(RETRY);
    } finally { this.#saving = false; }
  }

  // A save whose answer was lost comes back as a change by somebody: when the text there is ours, it was we.
  async #meet(text: string): Promise<void> {
    const there = await this.#there();
    if (there && there.text === text) {
      this.#version = there.version;
      this.#savedText = text;
      this.#forget();
      this.#say('ok', 'check', 'Saved, not committed');
      if (this.#isDirty()) this.#later(QUIET);
      return;
    }
    this.#stale = true;
    this.#keep();
    one('[data-stale]', this)?.removeAttribute('hidden');
    this.#say('warn', 'triangle-alert', 'Changed elsewhere; yours is not saved');
  }

  async #refused(answer: Response): Promise<void> {
    const problem = await answer.json().catch(() => ({})) as { detail?: string; title?: string };
    const words = problem.detail ?? problem.title ?? `The server answered ${answer.status}`;
    this.#say('bad', 'circle-x', 'Not saved; kept in this browser');
    toast('Not saved', words, 'bad');
    if (answer.status === 429 || answer.status >= 500) this.#later(RETRY);
  }

  async #there(): Promise<{ text: string; version: string } | null> {
    const answer = await fetch(`${this.#given.read}?path=${encodeURIComponent(this.#given.path)}`, { headers: { 'X-Boathouse-Workspace': this.#given.workspace } });
    if (answer.status === 404) return { text: '', version: '' };
    return answer.ok ? await answer.json() as { text: string; version: string } : null;
  }

  async #takeTheirs(): Promise<void> {
    const there = await this.#there();
    if (!there) { toast('Not loaded', 'The server did not answer; your text is still here.', 'bad'); return; }
    this.#clear(there.version);
    this.#savedText = there.text;
    this.#view.dispatch({ changes: { from: 0, to: this.#view.state.doc.length, insert: there.text } });
    clearTimeout(this.#timer);
    this.#forget();
    this.#say('ok', 'check', 'As it is saved; undo brings yours back');
  }

  async #forceMine(): Promise<void> {
    const there = await this.#there();
    if (!there) { toast('Not saved', 'The server did not answer; your text is still here.', 'bad'); return; }
    this.#clear(there.version);
    this.#savedText = there.text;
    await this.#save();
  }

  #clear(version: string): void {
    this.#version = version;
    this.#stale = false;
    one('[data-stale]', this)?.setAttribute('hidden', '');
  }

  #ask(url: string, body: object): Promise<Response> {
    const token = one<HTMLMetaElement>('meta[name=csrf-token]')?.content ?? '';
    return fetch(url, {
      method: 'POST', body: JSON.stringify(body), keepalive: document.hidden && this.#view.state.doc.length < 50_000,
      headers: { 'Content-Type': 'application/json', 'X-CSRFToken': token, 'X-Boathouse-Workspace': this.#given.workspace },
    });
  }

  // Kept in this browser alone, under the person, repository, branch and path.
  #keep(): void {
    const kept: Kept = { text: this.#text(), version: this.#version, at: Date.now() };
    try { localStorage.setItem(`bh-edit:${this.#given.key}`, JSON.stringify(kept)); } catch { /* full or refused: the page itself still warns before it closes */ }
  }

  #forget(): void { localStorage.removeItem(`bh-edit:${this.#given.key}`); }

  #kept(): Kept | null {
    try {
      const kept = JSON.parse(localStorage.getItem(`bh-edit:${this.#given.key}`) ?? 'null') as Kept | null;
      if (kept && kept.text !== this.#given.text) return kept;
    } catch { /* not ours */ }
    this.#forget();
    return null;
  }

  #say(tone: string, sign: string, words: string): void {
    const place = one('[data-state]', this);
    if (!place) return;
    place.className = `t12 row tight ${tone}`;
    place.replaceChildren(icon(sign, 's'), words);
    place.dataset.state = this.#stale ? 'stale' : this.#isDirty() ? 'dirty' : 'saved';
  }
}
customElements.define('bh-editor', Editor);
