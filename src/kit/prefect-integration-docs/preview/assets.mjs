/** Files that every site gets: style, script, the search library and the icon of the site. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const COLOUR = /^#[0-9a-f]{3,8}$/i;
const DEFAULTS = { primary: '#2d6df6', light: '#6d9bff', dark: '#1b4bb8' };

/**
 * The colours of docs.json; a missing or odd one is replaced.
 *
 * @param {any} config
 */
function coloursOf(config) {
    const pick = (/** @type {'primary' | 'light' | 'dark'} */ name, /** @type {string} */ fallback) => {
        const value = config.colors?.[name];
        return typeof value === 'string' && COLOUR.test(value) ? value : fallback;
    };
    const primary = pick('primary', DEFAULTS.primary);
    const isOwn = primary !== DEFAULTS.primary;
    return {
        primary,
        light: pick('light', isOwn ? primary : DEFAULTS.light),
        dark: pick('dark', isOwn ? primary : DEFAULTS.dark),
    };
}

/**
 * @param {any} config Value of docs.json.
 * @param {boolean} isLive
 * @returns {Map<string, string>} Text by path below the site.
 */
export function assets(config, isLive) {
    const { primary, light, dark } = coloursOf(config);
    const own = (/** @type {string} */ name) => readFileSync(path.join(HERE, 'assets', name), 'utf8');
    const minisearch = path.join(
        path.dirname(createRequire(import.meta.url).resolve('minisearch')),
        '..',
        'es',
        'index.js',
    );
    const files = new Map([
        [
            '_site/theme.css',
            `:root { --primary: ${primary}; --accent: light-dark(${dark}, ${light}); }\n\n${own('theme.css')}`,
        ],
        ['_site/minisearch.js', readFileSync(minisearch, 'utf8').replace(/\n?\/\/# sourceMappingURL=.*\n?$/, '\n')],
        ['_site/favicon.svg', favicon(primary)],
    ]);
    for (const name of ['client.js', 'search.js', 'theme.js', ...(isLive ? ['reload.js'] : [])]) {
        files.set(`_site/${name}`, own(name));
    }
    return files;
}

/** @param {string} colour */
function favicon(colour) {
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">' +
        `<rect width="32" height="32" rx="8" fill="${colour}"/>` +
        '<path d="M9 10h8v5h6v7h-8v-5H9z" fill="#fff"/></svg>\n'
    );
}
