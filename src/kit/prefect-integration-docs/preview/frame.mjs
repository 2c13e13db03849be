/** The HTML document around a page: head, top bar, the columns, the search dialog. */

import { escapeHtml } from './highlight.mjs';
import { drawIcon } from './icons.mjs';
import { isOutside } from './links.mjs';

/**
 * @typedef {object} Parts
 * @property {any} config Value of docs.json.
 * @property {string} name Name of the site.
 * @property {string} title
 * @property {string} [description]
 * @property {string} kind Classes of the body.
 * @property {string} tabBar
 * @property {string} navigation
 * @property {string} main
 * @property {string} contents
 * @property {boolean} isLive Whether the page reloads when its source changes.
 */

const THEMES = [
    { choice: 'light', icon: 'sun', label: 'Light theme' },
    { choice: 'system', icon: 'desktop', label: 'Theme of the system' },
    { choice: 'dark', icon: 'moon', label: 'Dark theme' },
];

const e = (/** @type {unknown} */ text) => escapeHtml(String(text ?? ''));

/**
 * @param {Parts} parts
 * @returns {string}
 */
export function document({ config, name, title, description, kind, tabBar, navigation, main, contents, isLive }) {
    const about = description ? `<meta name="description" content="${e(description)}">` : '';
    const live = isLive ? '<script src="/_site/reload.js" defer></script>' : '';
    return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${e(title)}</title>
${about}<link rel="icon" href="/_site/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/_site/theme.css">
<link rel="stylesheet" href="/_site/colours.css">
<script src="/_site/theme.js"></script>
<script src="/_site/client.js" type="module"></script>${live}
</head>
<body class="${kind}">
<a class="skip" href="#content">Skip to the content</a>
<header class="top">
<div class="bar">
<button type="button" class="button menu" aria-label="Navigation" aria-expanded="false"
 aria-controls="navigation">${drawIcon('bars')}</button>
${brand(config.logo, name)}
<button type="button" class="search-open" aria-haspopup="dialog" aria-label="Search">${drawIcon('magnifying-glass')}
<span>Search…</span><kbd>Ctrl K</kbd></button>
<div class="bar-end">${links(config.navbar)}
<div class="themes" role="group" aria-label="Theme">
${THEMES.map(themeButton).join('\n')}
</div></div>
</div>
${tabBar}
</header>
<div class="columns">
<nav class="sidebar" id="navigation" aria-label="Pages" tabindex="-1">
<button type="button" class="button sidebar-close" aria-label="Close the navigation">${drawIcon('xmark')}</button>
${navigation}</nav>
<div class="scrim" hidden></div>
<main id="content" tabindex="-1">${main}</main>
<aside class="contents">${contents}</aside>
</div>
<dialog class="search" aria-label="Search">
<div class="search-field">${drawIcon('magnifying-glass')}
<input type="search" role="combobox" aria-label="Search" aria-expanded="false" aria-controls="results"
 aria-autocomplete="list" autocomplete="off" spellcheck="false" placeholder="Search pages, classes, functions…">
<button type="button" class="search-close" aria-label="Close">Esc</button></div>
<div id="results" role="listbox" aria-label="Results"></div>
<p class="search-status" role="status"></p>
</dialog>
<p class="announcement" role="status"></p>
</body>
</html>
`;
}

/** @param {{ choice: string, icon: string, label: string }} theme */
function themeButton({ choice, icon, label }) {
    const attributes = `data-theme-choice="${choice}" aria-pressed="${choice === 'system'}"`;
    return (
        `<button type="button" class="button" ${attributes} aria-label="${label}" title="${label}">` +
        `${drawIcon(icon)}</button>`
    );
}

/**
 * The name of the site and its logo, which may have a version for each theme.
 *
 * @param {any} logo
 * @param {string} name
 */
function brand(logo, name) {
    const light = typeof logo === 'string' ? logo : logo?.light;
    const dark = typeof logo === 'string' ? undefined : logo?.dark;
    const href = logo?.href ?? '/';
    let image = '<img class="logo" src="/_site/favicon.svg" alt="" width="24" height="24">';
    if (light) image = `<img class="logo${dark ? ' on-light' : ''}" src="${e(light)}" alt="">`;
    if (light && dark) image += `<img class="logo on-dark" src="${e(dark)}" alt="">`;
    return `<a class="brand" href="${e(href)}">${image}<span>${e(name)}</span></a>`;
}

/** @param {any} navbar The part of docs.json. */
function links(navbar) {
    const { links: listed, primary } = navbar ?? {};
    return [...(Array.isArray(listed) ? listed : []), ...(primary ? [primary] : [])]
        .filter(({ href }) => typeof href === 'string')
        .map(({ label, type, href }) => {
            const rel = isOutside(href) ? ' rel="noopener noreferrer"' : '';
            return `<a class="bar-link" href="${e(href)}"${rel}>${e(label ?? type ?? href)}</a>`;
        })
        .join('');
}
