/** Icons of Font Awesome Free, from the files of its npm package. */

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const FOLDER = path.dirname(createRequire(import.meta.url).resolve('@fortawesome/fontawesome-free/package.json'));
const STYLES = ['solid', 'regular', 'brands'];
/** Styles of the paid edition, which the preview draws with the free ones. */
const PAID_STYLES = ['light', 'thin', 'duotone', 'sharp-solid'];

/** @type {Map<string, string>} */
const drawn = new Map();
/** @type {Record<string, Set<string>> | undefined} */
let names;
/** @type {Map<string, string> | undefined} */
let aliases;

/** @param {string} style */
export function isIconStyle(style) {
    return STYLES.includes(style) || PAID_STYLES.includes(style);
}

/** @param {string} style */
function namesOf(style) {
    names ??= Object.fromEntries(
        STYLES.map((name) => [
            name,
            new Set(readdirSync(path.join(FOLDER, 'svgs', name)).map((file) => file.slice(0, -4))),
        ]),
    );
    return names[style];
}

/** Former names, such as `cog` for `gear`. The file is large, so it is read only for a name that has no drawing. */
function aliasOf(/** @type {string} */ name) {
    if (aliases === undefined) {
        aliases = new Map();
        const families = JSON.parse(readFileSync(path.join(FOLDER, 'metadata', 'icon-families.json'), 'utf8'));
        for (const [current, entry] of Object.entries(families)) {
            for (const former of /** @type {any} */ (entry).aliases?.names ?? []) aliases.set(former, current);
        }
    }
    return aliases.get(name);
}

/**
 * Find the drawing of an icon.
 *
 * @param {string} icon Name, also one with `fa-` in front.
 * @param {string} [style] Style that is preferred.
 * @returns {{ name: string, style: string } | undefined}
 */
export function findIcon(icon, style) {
    const asked = icon.replace(/^fa-/, '');
    const styles = style && STYLES.includes(style) ? [style, ...STYLES] : STYLES;
    const find = (/** @type {string} */ name) => {
        const found = styles.find((candidate) => namesOf(candidate).has(name));
        return found ? { name, style: found } : undefined;
    };
    const found = find(asked);
    if (found) return found;
    const current = aliasOf(asked);
    return current === undefined ? undefined : find(current);
}

/**
 * Say what is wrong with an icon's name.
 *
 * @param {unknown} icon
 * @returns {string | undefined}
 */
export function iconProblem(icon) {
    if (typeof icon !== 'string' || icon === '')
        return 'an icon is the name of an icon of Font Awesome, such as `book`';
    if (/^[a-z][a-z0-9+.-]*:|^\/\//i.test(icon)) {
        return `icon ${icon}: the site loads nothing from elsewhere; name an icon of Font Awesome, or a file`;
    }
    if (icon.startsWith('/')) return undefined; // a file of the site; the links are checked elsewhere
    if (findIcon(icon)) return undefined;
    const close = closest(icon.replace(/^fa-/, ''));
    return `there is no icon \`${icon}\` in Font Awesome Free${close ? `; did you mean \`${close}\`?` : ''}`;
}

/** @param {string} name */
function closest(name) {
    let best = '';
    let least = Math.max(2, Math.floor(name.length / 3)) + 1;
    for (const candidate of STYLES.flatMap((style) => [...namesOf(style)])) {
        if (Math.abs(candidate.length - name.length) >= least) continue;
        const distance = editDistance(name, candidate);
        if (distance < least) [best, least] = [candidate, distance];
    }
    return best;
}

/**
 * @param {string} a
 * @param {string} b
 */
function editDistance(a, b) {
    let previous = Array.from({ length: b.length + 1 }, (_, n) => n);
    for (let row = 1; row <= a.length; row += 1) {
        const current = [row];
        for (let n = 1; n <= b.length; n += 1) {
            const change = previous[n - 1] + (a[row - 1] === b[n - 1] ? 0 : 1);
            current.push(Math.min(previous[n] + 1, current[n - 1] + 1, change));
        }
        previous = current;
    }
    return previous[b.length];
}

/**
 * Draw an icon as inline SVG, hidden from screen readers: the text beside it says the same.
 *
 * @param {string} icon
 * @param {string} [style]
 * @param {string} [attributes] Further attributes, as HTML.
 * @returns {string}
 */
export function drawIcon(icon, style, attributes = '') {
    const found = findIcon(icon, style);
    if (found === undefined) throw new Error(iconProblem(icon));
    const key = `${found.style}/${found.name}`;
    let inner = drawn.get(key);
    if (inner === undefined) {
        const svg = readFileSync(path.join(FOLDER, 'svgs', `${key}.svg`), 'utf8');
        const box = /viewBox="([^"]*)"/.exec(svg)?.[1] ?? '0 0 512 512';
        const shapes = svg.replace(/<!--.*?-->/gs, '').replace(/^.*?<svg[^>]*>|<\/svg>\s*$/gs, '');
        inner = `viewBox="${box}" fill="currentColor" aria-hidden="true" focusable="false">${shapes}</svg>`;
        drawn.set(key, inner);
    }
    return `<svg class="icon"${attributes} ${inner}`;
}
