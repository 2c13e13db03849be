/** The pages of a site: navigation, text with its code, contents, previous and next. */

import { document } from './frame.mjs';
import { escapeHtml } from './highlight.mjs';
import { drawIcon, findIcon } from './icons.mjs';
import { pagesOf } from './navigation.mjs';
import { hrefOf, shortTitle } from './pages.mjs';

/** @typedef {import('./navigation.mjs').Group} Group */
/** @typedef {import('./navigation.mjs').Tab} Tab */
/** @typedef {import('./pages.mjs').Page} Page */
/** @typedef {import('./mdx.mjs').Rendered} Rendered */

const e = (/** @type {unknown} */ text) => escapeHtml(String(text ?? ''));

/** A name in code may break after its dots and underscores. */
const breakable = (/** @type {string} */ name) => e(name).replace(/[._](?=\w)/g, '$&<wbr>');

/**
 * @param {string} name
 * @param {boolean} isCode
 */
function label(name, isCode) {
    return isCode ? `<span class="code-name">${breakable(name)}</span>` : `<span>${e(name)}</span>`;
}

/** @param {string | undefined} name */
function icon(name) {
    if (!name) return '';
    if (name.startsWith('/')) return `<img class="icon" src="${e(name)}" alt="">`;
    return findIcon(name) ? drawIcon(name) : '';
}

/** Lays out the pages of one site. What is the same on many of them is made once. */
export class Layout {
    #config;
    #pages;
    #tabs;
    #isLive;
    /** @type {string[]} */
    #sidebars;
    /** @type {Map<string, { tab: number, groups: string[], marks: number[], previous?: string, next?: string }>} */
    #places = new Map();
    #groups = 0;

    /**
     * @param {any} config Value of docs.json.
     * @param {Map<string, Page>} pages By url.
     * @param {Tab[]} tabs
     * @param {boolean} [isLive] Whether pages reload when their source changes.
     */
    constructor(config, pages, tabs, isLive = false) {
        this.#config = config;
        this.#pages = pages;
        this.#tabs = tabs;
        this.#isLive = isLive;
        this.#sidebars = tabs.map((tab, number) => this.#sidebar(tab, number));
    }

    get name() {
        return String(this.#config.name ?? 'Documentation');
    }

    /**
     * The groups around a page, its tab first.
     *
     * @param {string} url
     * @returns {string[]}
     */
    crumbs(url) {
        return this.#places.get(url)?.groups ?? [];
    }

    // --- navigation --------------------------------------------------------------------------------------------------

    /**
     * @param {Tab} tab
     * @param {number} number
     */
    #sidebar(tab, number) {
        const groups = tab.title ? [tab.title] : [];
        const order = pagesOf(tab.items).filter((url) => this.#pages.has(url));
        for (const [n, url] of order.entries()) {
            if (!this.#places.has(url)) {
                this.#places.set(url, { tab: number, groups, marks: [], previous: order[n - 1], next: order[n + 1] });
            }
        }
        return this.#items(tab.items, groups, [], 0);
    }

    /**
     * @param {(string | Group)[]} items
     * @param {string[]} groups
     * @param {number[]} marks Numbers of the groups around, which are open on the pages in them.
     * @param {number} depth
     * @returns {string}
     */
    #items(items, groups, marks, depth) {
        const rows = items.map((item) => {
            if (typeof item === 'string') return this.#entry(item, groups, marks);
            this.#groups += 1;
            const mark = this.#groups;
            const inner = [...groups, ...(item.title === groups.at(-1) ? [] : [item.title])];
            const content = this.#items(item.items, inner, [...marks, mark], depth + 1);
            if (!content) return '';
            const tag = item.tag ? `<span class="tag">${e(item.tag)}</span>` : '';
            const title = `${icon(item.icon)}<span>${breakable(item.title)}</span>${tag}`;
            if (depth === 0) return `<li class="nav-section"><p class="nav-heading">${title}</p>${content}</li>`;
            const open = item.expanded ? ' open' : '';
            const summary = `<summary>${title}${drawIcon('chevron-right')}</summary>`;
            return `<li><details data-group="${mark}"${open}>${summary}${content}</details></li>`;
        });
        const inner = rows.join('');
        return inner && `<ul>${inner}</ul>`;
    }

    /**
     * @param {string} url
     * @param {string[]} groups
     * @param {number[]} marks
     */
    #entry(url, groups, marks) {
        const page = this.#pages.get(url);
        if (page === undefined) return '';
        const place = this.#places.get(url);
        if (place && place.marks.length === 0) Object.assign(place, { groups, marks });
        const tag = page.front.tag ? `<span class="tag">${e(page.front.tag)}</span>` : '';
        const name = label(shortTitle(page), url.includes('/api-ref/'));
        return `<li><a href="${e(page.href)}">${icon(page.front.icon)}${name}${tag}</a></li>`;
    }

    /**
     * The navigation of a tab, with one page marked and the groups around it open.
     *
     * @param {number} tab
     * @param {string} href
     * @param {number[]} marks
     */
    #navigation(tab, href, marks) {
        let html = this.#sidebars[tab] ?? '';
        html = html.replace(`<a href="${e(href)}">`, () => `<a href="${e(href)}" aria-current="page">`);
        for (const mark of marks)
            html = html.replace(new RegExp(`data-group="${mark}"(?: open)?>`), `data-group="${mark}" open>`);
        return html;
    }

    /** @param {number | undefined} current */
    #tabBar(current) {
        if (this.#tabs.length < 2) return '';
        const links = this.#tabs.map((tab, number) => {
            const first = pagesOf(tab.items).find((url) => this.#pages.has(url));
            const href = first === undefined ? tab.href : hrefOf(first);
            if (!href) return '';
            const mark = number === current ? ' aria-current="true"' : '';
            return `<a href="${e(href)}"${mark}>${icon(tab.icon)}${e(tab.title)}</a>`;
        });
        return `<nav class="tab-bar" aria-label="Sections">${links.join('')}</nav>`;
    }

    // --- pages -------------------------------------------------------------------------------------------------------

    /**
     * @param {Page} page
     * @param {Rendered} rendered
     * @param {import('./highlight.mjs').Highlighter} highlighter
     * @returns {string} A whole HTML document.
     */
    page(page, rendered, highlighter) {
        const place = this.#places.get(page.url);
        const { title, description } = page.front;
        const heading = rendered.sections.find(({ level, id }) => level === 1 && id);
        const isReference = page.url.includes('/api-ref/');
        const isCode = heading?.code ?? false;
        const crumbs = (place?.groups ?? []).map((group) => `<li>${e(group)}</li>`).join('');
        const above = crumbs ? `<nav class="crumbs" aria-label="Breadcrumb"><ol>${crumbs}</ol></nav>` : '';
        // A page whose text brings its own first heading needs no second one.
        const top = heading ? '' : `<h1>${e(title ?? shortTitle(page))}</h1>`;
        const lead = description ? `<p class="lead">${e(description)}</p>` : '';
        const body =
            rendered.html === undefined
                ? this.#failure(rendered)
                : this.#withCode(rendered.html, rendered, highlighter, isReference);
        const kind = [isReference ? 'reference' : 'guide', isCode ? 'code-title' : '', place ? '' : 'no-sidebar'];
        return this.#document({
            title: title ? `${title} – ${this.name}` : this.name,
            description,
            kind: kind.filter(Boolean).join(' '),
            tab: place?.tab,
            navigation: this.#navigation(place?.tab ?? 0, page.href, place?.marks ?? []),
            main:
                `<article>${above}<header>${top}${lead}</header><div class="prose">${body}</div></article>` +
                this.#pager(place),
            contents: this.#contents(rendered.sections),
        });
    }

    /** @returns {string} */
    notFound() {
        return this.#document({
            title: `Page not found – ${this.name}`,
            kind: 'guide no-sidebar',
            navigation: this.#navigation(0, '', []),
            main:
                '<article><header><h1>Page not found</h1>' +
                '<p class="lead">There is no page at this address.</p></header>' +
                '<div class="prose"><p>Search for it above, or go <a href="/">to the start</a>.</p></div></article>',
            contents: '',
        });
    }

    /**
     * @param {string} destination
     * @returns {string}
     */
    redirect(destination) {
        const to = e(destination);
        return (
            `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Moved</title>` +
            `<meta http-equiv="refresh" content="0; url=${to}"><link rel="canonical" href="${to}"></head>` +
            `<body><p>This page has moved <a href="${to}">here</a>.</p></body></html>\n`
        );
    }

    /** @param {Rendered} rendered */
    #failure({ problems }) {
        const list = problems.map(
            ({ path, line, message }) => `<li><code>${e(path)}:${line}</code> ${e(message)}</li>`,
        );
        return (
            `<div class="callout callout-warning" role="alert">${drawIcon('triangle-exclamation')}` +
            `<div class="callout-body"><p>This page cannot be rendered.</p><ul>${list.join('')}</ul></div></div>`
        );
    }

    /**
     * Put the code in the places that were left for it.
     *
     * @param {string} html
     * @param {Rendered} rendered
     * @param {import('./highlight.mjs').Highlighter} highlighter
     * @param {boolean} isReference
     */
    #withCode(html, { fences }, highlighter, isReference) {
        return html.replace(/<pre data-fence="(\d+)"><\/pre>/g, (_, number) => {
            const { lang, title, code, isSignature } = fences[Number(number)];
            const bar = title ? `<div class="code-name code-title-bar">${e(title)}</div>` : '';
            const icons = drawIcon('copy', 'regular') + drawIcon('check');
            return (
                `<div class="code${isReference && isSignature ? ' signature' : ''}">${bar}` +
                `<button type="button" class="copy" aria-label="Copy the code">${icons}</button>` +
                `<pre tabindex="0" data-language="${e(lang || 'text')}">` +
                `<code>${highlighter.html(code, lang)}</code></pre></div>`
            );
        });
    }

    /** @param {{ previous?: string, next?: string } | undefined} place */
    #pager(place) {
        const link = (/** @type {string | undefined} */ url, /** @type {string} */ rel, /** @type {string} */ said) => {
            const page = url === undefined ? undefined : this.#pages.get(url);
            if (page === undefined) return '';
            const inner = `<small>${said}</small><span>${e(shortTitle(page))}</span>`;
            return `<a rel="${rel}" href="${e(page.href)}">${inner}</a>`;
        };
        const links = link(place?.previous, 'prev', 'Previous') + link(place?.next, 'next', 'Next');
        return links && `<nav class="pager" aria-label="Previous and next page">${links}</nav>`;
    }

    /** @param {import('./outline.mjs').Section[]} sections */
    #contents(sections) {
        const listed = sections.filter(({ id, level }) => id && level >= 2 && level <= 4);
        if (listed.length === 0) return '';
        const rows = listed.map(({ id, title, level, code }) => {
            const href = e(`#${encodeURIComponent(id)}`);
            return `<li class="toc-${level}"><a href="${href}">${label(title, code)}</a></li>`;
        });
        const long = listed.length > 30 ? ' class="toc-long"' : '';
        return (
            '<nav class="toc" aria-labelledby="toc-title"><p id="toc-title">On this page</p>' +
            `<ul${long}>${rows.join('')}</ul></nav>`
        );
    }

    /** @param {Omit<import('./frame.mjs').Parts, 'config' | 'name' | 'tabBar' | 'isLive'> & { tab?: number }} parts */
    #document({ tab, ...parts }) {
        const tabBar = this.#tabBar(tab);
        return document({ config: this.#config, name: this.name, tabBar, isLive: this.#isLive, ...parts });
    }
}
