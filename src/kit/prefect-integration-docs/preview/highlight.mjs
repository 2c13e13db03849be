/** Colours of code: one markup for the light and the dark theme, as classes. */

import { createHash } from 'node:crypto';

import { bundledLanguagesInfo } from 'shiki/langs';

const THEMES = { light: 'github-light-default', dark: 'github-dark-default' };
/** Comments of the light theme stand out too little from the background for WCAG's level AA. */
const REPLACED = { [THEMES.light]: { '#6e7781': '#59636e' } };
/** Loaded at once; any other language of Shiki when a page first uses it. */
const USUAL = ['python', 'bash', 'yaml', 'json', 'toml', 'mdx', 'sql', 'dockerfile', 'ini'];
const PLAIN = new Set(['', 'text', 'txt', 'plain', 'plaintext', 'ansi']);

const languages = new Set(bundledLanguagesInfo.flatMap(({ id, aliases }) => [id, ...(aliases ?? [])]));

/** @param {string} lang */
export function isKnownLanguage(lang) {
    return PLAIN.has(lang) || languages.has(lang);
}

/** @param {string} text */
export function escapeHtml(text) {
    return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/** Highlights code and remembers which colours were used. */
export class Highlighter {
    #shiki;
    /** @type {Map<string, string>} */
    #rules = new Map();
    /** @type {Map<string, string>} */
    #done = new Map();

    /** @param {any} shiki */
    constructor(shiki) {
        this.#shiki = shiki;
    }

    /** Load Shiki: it takes a moment, and the checks do without. */
    static async load() {
        const { createHighlighter } = await import('shiki');
        return new Highlighter(await createHighlighter({ themes: Object.values(THEMES), langs: USUAL }));
    }

    /**
     * Load the languages of these fences that are not loaded yet.
     *
     * @param {import('./code.mjs').Fence[]} fences
     */
    async prepare(fences) {
        const loaded = new Set(this.#shiki.getLoadedLanguages());
        const wanted = new Set(fences.map(({ lang }) => lang));
        const missing = [...wanted].filter((lang) => !PLAIN.has(lang) && languages.has(lang) && !loaded.has(lang));
        if (missing.length > 0) await this.#shiki.loadLanguage(...missing);
    }

    /**
     * @param {string} code
     * @param {string} lang
     * @returns {string} HTML
     */
    html(code, lang) {
        if (PLAIN.has(lang) || !languages.has(lang)) return escapeHtml(code);
        const key = `${lang}\n${code}`;
        let html = this.#done.get(key);
        if (html === undefined) {
            const options = { lang, themes: THEMES, defaultColor: false, colorReplacements: REPLACED };
            const { tokens } = this.#shiki.codeToTokens(code, options);
            const lines = tokens.map((/** @type {any[]} */ line) => line.map((token) => this.#span(token)).join(''));
            html = /** @type {string} */ (lines.join('\n'));
            this.#done.set(key, html);
        }
        return html;
    }

    /** @param {any} token */
    #span({ content, htmlStyle }) {
        const text = escapeHtml(content);
        const light = htmlStyle?.['--shiki-light'];
        const dark = htmlStyle?.['--shiki-dark'];
        if (!light || !dark || content.trim() === '') return text;
        const colours = `${light} ${dark}`;
        let name = this.#rules.get(colours);
        if (name === undefined) {
            name = `k${createHash('sha256').update(colours).digest('hex').slice(0, 5)}`;
            this.#rules.set(colours, name);
        }
        return `<i class="${name}">${text}</i>`;
    }

    /** The style sheet of the colours that were used. */
    css() {
        return [...this.#rules]
            .map(([colours, name]) => `.${name} { color: light-dark(${colours.replace(' ', ', ')}); }\n`)
            .sort()
            .join('');
    }
}
