// Messages that the server printed: they fade by themselves when all went well, and close at a click.
import { all, hit } from './dom.ts';

const fade = (): void => all('.toast[data-fades]').forEach(toast => { delete toast.dataset.fades; setTimeout(() => toast.remove(), 6000); });
document.addEventListener('click', event => hit(event, '[data-dismiss]')?.closest('.toast')?.remove());
document.addEventListener('htmx:after:swap', fade);
fade();
