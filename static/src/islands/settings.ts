// Theme, rail and other looks that a person chooses: applied at once and kept in a cookie for the server.
import { hit, one, remember } from './dom.ts';

const root = document.documentElement;
export const isDark = (): boolean => root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;

export const switchTheme = (): void => {
  root.dataset.theme = isDark() ? 'light' : 'dark';
  remember('theme', root.dataset.theme);
  dispatchEvent(new Event('themechange'));
};

export const toggleRail = (): void => {
  const app = one('.app');
  if (!app || !one('.rail')) return;
  app.dataset.rail = app.dataset.rail === 'closed' ? 'open' : 'closed';
  remember(`rail_${app.dataset.kind ?? 'page'}`, app.dataset.rail);
  dispatchEvent(new Event('resize'));
};

document.addEventListener('click', event => {
  if (hit(event, '[data-theme-toggle]')) switchTheme();
  if (hit(event, '[data-rail-toggle]')) toggleRail();
  const show = hit(event, '[data-show-password]');
  const field = show && document.getElementById(show.dataset.showPassword ?? '');
  if (show && field instanceof HTMLInputElement) {
    field.type = field.type === 'password' ? 'text' : 'password';
    show.textContent = field.type === 'password' ? 'Show' : 'Hide';
  }
});

const workspace = one('.app')?.dataset.workspace;
if (workspace) remember('workspace', workspace);
