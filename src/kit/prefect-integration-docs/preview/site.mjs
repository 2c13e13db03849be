/** A whole site: read, checked, and written as static files. */

import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { assets } from './assets.mjs';
import { cached, prune } from './cache.mjs';
import { readConfig } from './config.mjs';
import { Highlighter } from './highlight.mjs';
import { Layout } from './layout.mjs';
import { isOutside, linkProblem } from './links.mjs';
import { render } from './mdx.mjs';
import { checkNavigation, readTabs } from './navigation.mjs';
import { listFiles, readPage, shortTitle } from './pages.mjs';
import { UsageError, sorted } from './problems.mjs';
import { checkRedirects, readRedirects } from './redirects.mjs';
import { checkSchema } from './schema.mjs';
import { searchIndex } from './search.mjs';

/** @typedef {import('./problems.mjs').Problem} Problem */
/** @typedef {import('./pages.mjs').Page} Page */
/** @typedef {import('./mdx.mjs').Rendered} Rendered */

/** The pages, settings and other files below one folder, as of the last `load`. */
export class Site {
    /** @param {string} docs Folder of the site. */
    constructor(docs) {
        this.docs = path.resolve(docs);
        if (!existsSync(this.docs))
            throw new UsageError(`${docs}: there is no such folder; name the one that holds docs.json`);
        /** @type {Page[]} */
        this.pages = [];
        /** @type {string[]} */
        this.files = [];
        /** @type {Map<string, { body: string, rendered: Rendered }>} */
        this.#rendered = new Map();
        /** @type {import('./config.mjs').Config} */
        this.config = { path: '', value: {}, line: () => 1, problems: [] };
    }

    #rendered;

    /**
     * Read everything; only pages whose text has changed since the last time are rendered.
     *
     * @returns {Set<string>} Paths of the pages that were rendered.
     */
    load() {
        /** @type {Set<string>} */
        const changed = new Set();
        const all = listFiles(this.docs);
        this.config = readConfig(this.docs);
        this.files = all.filter((file) => !file.endsWith('.mdx') && file !== 'docs.json');
        this.pages = all.filter((file) => file.endsWith('.mdx')).map((file) => readPage(this.docs, file));
        const rendered = new Map();
        for (const page of this.pages) {
            const body = JSON.stringify([page.front, page.body]);
            let record = this.#rendered.get(page.path);
            if (record?.body !== body) {
                record = { body, rendered: cached(JSON.stringify([page.path, body]), () => render(page)) };
                changed.add(page.path);
            }
            rendered.set(page.path, record);
        }
        this.#rendered = rendered;
        prune();
        return changed;
    }

    /**
     * @param {Page} page
     * @returns {Rendered}
     */
    rendered(page) {
        return /** @type {any} */ (this.#rendered.get(page.path)).rendered;
    }

    /** What keeps pages from being shown as they are meant. @returns {Problem[]} */
    pageProblems() {
        return sorted(this.pages.flatMap((page) => [...page.problems, ...this.rendered(page).problems]));
    }

    /** All that is wrong with the site. @returns {Problem[]} */
    check() {
        const targets = this.#targets();
        /** @type {Problem[]} */
        const problems = [...this.pageProblems(), ...this.config.problems];
        for (const page of this.pages) {
            for (const { target, line } of this.rendered(page).links) {
                const message = linkProblem(target, page.url, targets);
                if (message) problems.push({ path: page.path, line, message });
            }
            const other = targets.pages.get(page.href);
            if (other && other.url !== page.url) {
                problems.push({
                    path: page.path,
                    line: 1,
                    message: `the address ${page.href} is also that of ${other.url}.mdx; rename one`,
                });
            }
        }
        if (this.config.problems.length === 0) problems.push(...checkSchema(this.config));
        problems.push(...checkNavigation(this.config, this.pages), ...checkRedirects(this.config, targets));
        return sorted(problems);
    }

    /** @returns {import('./links.mjs').Targets} */
    #targets() {
        const pages = new Map();
        for (const page of this.pages) {
            const { ids } = this.rendered(page);
            const entry = { url: page.url, ids: ids && new Set(ids) };
            for (const address of new Set([`/${page.url}`, page.href.replace(/(.)\/$/, '$1')])) {
                if (!pages.has(address)) pages.set(address, entry);
            }
        }
        const redirects = new Map(
            readRedirects(this.config.value).map(({ source, destination }) => [source, destination]),
        );
        return { pages, files: new Set(this.files), redirects };
    }
}

/** Writes a site into a folder, and later what has changed in it. */
export class Builder {
    /** @type {Highlighter | undefined} */
    #highlighter;
    #frame = '';
    /** @type {Set<string>} */
    #shown = new Set();

    /**
     * @param {Site} site Loaded.
     * @param {string} out
     * @param {boolean} [isLive] Whether pages reload when their source changes.
     */
    constructor(site, out, isLive = false) {
        this.site = site;
        this.out = path.resolve(out);
        this.isLive = isLive;
        this.layout = new Layout({}, new Map(), []);
    }

    /** Empty the folder; one that holds anything but a site is left alone. */
    clear() {
        const inside = path.relative(this.site.docs, this.out);
        if (inside === '' || !(inside.startsWith('..') || path.isAbsolute(inside))) {
            throw new UsageError(`${this.out}: the site must not be written into its own sources; name another folder`);
        }
        if (existsSync(this.out) && readdirSync(this.out).length > 0 && !existsSync(path.join(this.out, '_site'))) {
            throw new UsageError(`${this.out}: the folder holds something else; name an empty or a new one`);
        }
        rmSync(this.out, { recursive: true, force: true });
        mkdirSync(this.out, { recursive: true });
    }

    /**
     * Write the pages that were rendered anew; all of them when something changed that shows on every page.
     *
     * @param {Set<string>} changed As `Site.load` returns it.
     */
    async write(changed) {
        const { site } = this;
        const config = site.config.value;
        const frame = JSON.stringify([config, site.pages.map(({ url, front }) => [url, front])]);
        const isWhole = frame !== this.#frame;
        this.#frame = frame;
        if (isWhole) {
            this.#removeGone();
            const byUrl = new Map(site.pages.map((page) => [page.url, page]));
            this.layout = new Layout(config, byUrl, readTabs(config.navigation), this.isLive);
            this.#write('404.html', this.layout.notFound());
            this.#writeRedirects();
            for (const [name, text] of assets(config, this.isLive)) this.#write(name, text);
        }
        this.#highlighter ??= await Highlighter.load();
        const pages = site.pages.filter((page) => isWhole || changed.has(page.path));
        await this.#highlighter.prepare(pages.flatMap((page) => site.rendered(page).fences));
        for (const page of pages) {
            this.#write(fileOf(page.href), this.layout.page(page, site.rendered(page), this.#highlighter));
        }
        this.#write('_site/colours.css', this.#highlighter.css());
        for (const file of site.files) {
            const to = path.join(this.out, file);
            mkdirSync(path.dirname(to), { recursive: true });
            copyFileSync(path.join(site.docs, file), to);
        }
    }

    /** Write the search index. It holds every page, so that it is apart from `write`. */
    writeSearch() {
        const { site } = this;
        const pages = site.pages.map((page) => ({
            page,
            title: String(
                site.rendered(page).sections.find(({ level, id }) => level === 1 && id)?.title ??
                    page.front.title ??
                    shortTitle(page),
            ),
            crumbs: this.layout.crumbs(page.url),
            sections: site.rendered(page).sections,
        }));
        this.#write('search.json', searchIndex(pages));
    }

    /** Remove the pages whose source is gone since the last time. */
    #removeGone() {
        const shown = new Set(this.site.pages.map(({ href }) => fileOf(href)));
        for (const file of this.#shown) {
            if (!shown.has(file)) rmSync(path.join(this.out, file), { force: true });
        }
        this.#shown = shown;
    }

    #writeRedirects() {
        const taken = new Set(this.site.pages.map(({ href }) => href));
        for (const { url, href } of this.site.pages) {
            // A page is also found under its full name.
            if (href !== `/${url}` && !taken.has(`/${url}`)) this.#write(fileOf(`/${url}`), this.layout.redirect(href));
        }
        for (const { source, destination } of readRedirects(this.site.config.value)) {
            if (taken.has(source) || source.split('/').includes('..')) continue;
            const to = isOutside(destination) || destination.startsWith('/') ? destination : `/${destination}`;
            this.#write(fileOf(source), this.layout.redirect(to));
        }
    }

    /**
     * @param {string} name
     * @param {string} text
     */
    #write(name, text) {
        const file = path.join(this.out, name);
        mkdirSync(path.dirname(file), { recursive: true });
        writeFileSync(file, text);
    }
}

/** @param {string} href */
function fileOf(href) {
    return `${href.slice(1)}/index.html`.replace(/\/{2,}/g, '/').replace(/^\//, '');
}
