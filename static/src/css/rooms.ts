// Each room's own styles. In a file of its own: a glob is hoisted above other imports, and the order of the layers must be declared first.
import.meta.glob('./rooms/*.css', { eager: true });
