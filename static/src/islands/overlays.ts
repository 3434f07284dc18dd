// Dialogs, menus and popovers: opened by data-open and data-pop, closed by Esc, a click outside, or data-close.
import { all, hit, one } from './dom.ts';

export const openDialog = (dialog: HTMLDialogElement): void => {
  if (dialog.open) return;
  dialog.showModal();
  const first = one('[autofocus]', dialog) ?? one('h2', dialog);
  if (!first) return;
  if (!first.matches('input, select, textarea, button, a')) first.tabIndex = -1;
  first.focus({ preventScroll: true });
};

const closePops = (except?: Element | null): void => all('.pop:not([hidden]), .menu:not([hidden])').forEach(pop => {
  if (pop.matches('.stat') || !pop.id || pop === except || (except && pop.contains(except))) return;
  pop.hidden = true;
  one(`[data-pop="${CSS.escape(pop.id)}"]`)?.setAttribute('aria-expanded', 'false');
});

const place = (pop: HTMLElement, by: HTMLElement): void => {
  if (!pop.matches('[data-beside]')) return;
  const button = by.getBoundingClientRect(), gap = 4;
  pop.style.position = 'fixed';
  pop.style.inset = 'auto';
  const box = pop.getBoundingClientRect();
  pop.style.insetBlockStart = `${Math.max(8, button.bottom + gap + box.height > innerHeight ? button.top - gap - box.height : button.bottom + gap)}px`;
  pop.style.insetInlineStart = `${Math.max(8, Math.min(button.left, innerWidth - box.width - 8))}px`;
};

document.addEventListener('click', event => {
  const opener = hit(event, '[data-open]');
  const dialog = opener && document.getElementById(opener.dataset.open ?? '');
  if (opener && dialog instanceof HTMLDialogElement) {
    closePops();
    // data-fill-<name> puts a value into the field called so: one dialog serves every row.
    for (const [key, value] of Object.entries(opener.dataset)) {
      const field = key.startsWith('fill') ? one<HTMLInputElement>(`[name="${CSS.escape(key.slice(4).toLowerCase())}"]`, dialog) : null;
      if (field) field.value = value ?? '';
    }
    openDialog(dialog);
    return;
  }
  const closer = hit(event, '[data-close]');
  if (closer) { closer.closest('dialog')?.close(); closePops(); return; }
  const popper = hit(event, '[data-pop]');
  const pop = popper && document.getElementById(popper.dataset.pop ?? '');
  if (popper && pop) {
    closePops(pop);
    pop.hidden = !pop.hidden;
    popper.setAttribute('aria-expanded', String(!pop.hidden));
    if (!pop.hidden) { place(pop, popper); one('[autofocus], a, button, input', pop)?.focus({ preventScroll: true }); }
    return;
  }
  closePops(event.target instanceof Element ? event.target : null);
  if (event.target instanceof HTMLDialogElement && event.target.matches('.modal[open]')) {
    const box = event.target.getBoundingClientRect(), { clientX: x, clientY: y } = event;
    if (x < box.left || x > box.right || y < box.top || y > box.bottom) event.target.close();
  }
});

document.addEventListener('keydown', event => {
  const pop = hit(event, '.pop, .menu');
  if (event.key === 'Escape') {
    const opener = pop && one(`[data-pop="${CSS.escape(pop.id)}"]`);
    closePops();
    opener?.focus();
  }
  if (pop?.matches('[role=menu]') && ['ArrowDown', 'ArrowUp', 'Home', 'End'].includes(event.key)) {
    const items = all('[role=menuitem], a, button', pop).filter(item => !item.hidden);
    const at = items.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key] ?? 0;
    items[(next + items.length) % items.length]?.focus();
    event.preventDefault();
  }
});
document.addEventListener('focusout', event => {
  const pop = hit(event, '.pop');
  const to = (event as FocusEvent).relatedTarget;
  if (pop?.id && to instanceof Element && !pop.contains(to) && !to.closest(`[data-pop="${CSS.escape(pop.id)}"]`)) closePops(to);
});

/** <bh-modal>: a dialog that comes from the server and opens as it arrives; gone from the page when closed. */
class Modal extends HTMLElement {
  connectedCallback(): void {
    const dialog = one<HTMLDialogElement>('dialog', this);
    if (!dialog) return;
    const from = document.activeElement;
    openDialog(dialog);
    dialog.addEventListener('close', () => {
      this.remove();
      if (from instanceof HTMLElement) from.focus({ preventScroll: true });
      const leave = this.getAttribute('leave');
      if (leave) location.assign(leave);
    });
  }
}
customElements.define('bh-modal', Modal);

// Confirmation: a dialog that must be typed into before its button works.
document.addEventListener('input', event => {
  const field = hit(event, '[data-confirm-name]');
  if (!(field instanceof HTMLInputElement)) return;
  const button = field.form && one<HTMLButtonElement>('button[type=submit]', field.form);
  if (button) button.disabled = field.value !== field.dataset.confirmName;
});

// A form in a dialog that came back with errors is shown again where it was.
const failed = all<HTMLDialogElement>('dialog.modal').find(dialog => one('[aria-invalid=true]', dialog));
if (failed) openDialog(failed);

// An address may name a dialog of its page: /repos#newrepo.
const named = /^#[\w-]+$/.test(location.hash) ? one(location.hash) : null;
if (named instanceof HTMLDialogElement) openDialog(named);
