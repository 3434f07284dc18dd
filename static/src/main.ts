// What every page loads: the stylesheet, htmx and the islands. Islands are custom elements, so swapped-in markup starts by itself.
import '@fontsource-variable/inter/opsz.css';
import '@fontsource-variable/jetbrains-mono/index.css';
import './css/boathouse.css';
import.meta.glob('./css/rooms/*.css', { eager: true });
import 'htmx.org/dist/htmx.esm.js';
import './islands/requests.ts';
import './islands/toasts.ts';
import './islands/overlays.ts';
import './islands/settings.ts';
import './islands/keyboard.ts';
import './islands/palette.ts';
import './islands/copy.ts';
import './islands/tabs.ts';
import './islands/poll.ts';
import './islands/log.ts';
import './islands/lists.ts';
import './islands/playground.ts';
import './islands/lazy.ts';
