import { defineConfig } from 'vite';
import { iconSprite } from './tools/icons.mjs';

// Relative base: fonts resolve beside the stylesheet, wherever static files are served from.
export default defineConfig({
  root: import.meta.dirname,
  base: './',
  publicDir: false,
  plugins: [iconSprite()],
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    manifest: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    rollupOptions: { input: { main: 'main.ts' } },
  },
});
