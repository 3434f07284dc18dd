// <bh-poll src="/w/…/fragment" every="3">: swaps its content with what the address answers, until an answer carries data-done.
// With `reload`, the last answer loads the whole page anew. Waits while the page is hidden and while the pointer or the focus is inside, so nothing moves under a hand.
class Poll extends HTMLElement {
  #timer = 0;
  #failed = 0;

  connectedCallback(): void { this.#plan(); }
  disconnectedCallback(): void { clearTimeout(this.#timer); }

  #plan(): void {
    if (this.querySelector('[data-done]')) return;
    const seconds = Math.max(1, Number(this.getAttribute('every')) || 5) * 2 ** Math.min(this.#failed, 4);
    this.#timer = window.setTimeout(() => void this.#ask(), seconds * 1000);
  }

  async #ask(): Promise<void> {
    const src = this.getAttribute('src');
    const held = this.matches(':hover') && this.hasAttribute('hold') || (this.contains(document.activeElement) && document.activeElement !== this);
    if (!src || document.hidden || held) return this.#plan();
    try {
      const answer = await fetch(src, { headers: { 'HX-Request': 'true', 'HX-Request-Type': 'partial', 'HX-Target': this.id ? `bh-poll#${this.id}` : 'bh-poll' } });
      if (answer.status === 401 || answer.status === 404) return;
      if (!answer.ok) throw new Error(String(answer.status));
      const text = await answer.text();
      this.#failed = 0;
      if (this.hasAttribute('reload') && text.includes('data-done')) { location.reload(); return; }
      if (this.isConnected && text !== this.#last) { this.#last = text; this.innerHTML = text; this.dispatchEvent(new CustomEvent('bh:polled', { bubbles: true })); }
    } catch { this.#failed += 1; }
    if (this.isConnected) this.#plan();
  }

  #last = '';
}
customElements.define('bh-poll', Poll);
