/** Serve a built site on the loopback, and tell open pages when it has changed. */

import { createReadStream, existsSync, statSync, watch } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';

const TYPES = /** @type {Record<string, string>} */ ({
    '.css': 'text/css; charset=utf-8',
    '.gif': 'image/gif',
    '.html': 'text/html; charset=utf-8',
    '.ico': 'image/x-icon',
    '.jpeg': 'image/jpeg',
    '.jpg': 'image/jpeg',
    '.js': 'text/javascript; charset=utf-8',
    '.json': 'application/json; charset=utf-8',
    '.pdf': 'application/pdf',
    '.png': 'image/png',
    '.svg': 'image/svg+xml',
    '.txt': 'text/plain; charset=utf-8',
    '.webp': 'image/webp',
    '.xml': 'application/xml',
});
const HOST = '127.0.0.1';
const QUIET_MS = 60; // editors write a file in several steps

/**
 * @param {string} root
 * @param {string} address Path of the request.
 * @returns {string | undefined} The file to send.
 */
function fileFor(root, address) {
    let name;
    try {
        name = decodeURIComponent(address);
    } catch {
        return undefined;
    }
    if (name.includes('\0')) return undefined;
    const file = path.join(root, path.posix.normalize(`/${name}`));
    for (const candidate of [file, path.join(file, 'index.html')]) {
        if (existsSync(candidate) && statSync(candidate).isFile()) return candidate;
    }
    return undefined;
}

/** A web server for one folder. */
export class Server {
    /** @type {Set<import('node:http').ServerResponse>} */
    #listeners = new Set();

    /**
     * @param {string} root
     * @param {(name: string) => void} [beforeSend] Called with each path that is asked for.
     */
    constructor(root, beforeSend = () => undefined) {
        this.root = root;
        this.beforeSend = beforeSend;
        this.server = createServer((request, response) => this.#answer(request, response));
    }

    /**
     * Listen on a port; on a free one when it is 0 or taken.
     *
     * @param {number} port
     * @returns {Promise<number>}
     */
    listen(port) {
        return new Promise((resolve, reject) => {
            this.server.once('error', (/** @type {NodeJS.ErrnoException} */ error) => {
                if (port !== 0 && (error.code === 'EADDRINUSE' || error.code === 'EACCES')) resolve(this.listen(0));
                else reject(error);
            });
            this.server.listen(port, HOST, () => {
                this.server.removeAllListeners('error');
                resolve(/** @type {import('node:net').AddressInfo} */ (this.server.address()).port);
            });
        });
    }

    /** Tell every open page to load again. */
    changed() {
        for (const listener of this.#listeners) listener.write('event: change\ndata: \n\n');
    }

    close() {
        for (const listener of this.#listeners) listener.end();
        this.server.close();
        this.server.closeAllConnections();
    }

    /**
     * @param {import('node:http').IncomingMessage} request
     * @param {import('node:http').ServerResponse} response
     */
    #answer(request, response) {
        const name = (request.url ?? '/').replace(/[?#].*$/s, '');
        if (request.method !== 'GET' && request.method !== 'HEAD') {
            response.writeHead(405, { Allow: 'GET, HEAD' }).end();
            return;
        }
        if (name === '/_site/events') {
            response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
            response.write(': open\n\n');
            this.#listeners.add(response);
            response.on('close', () => this.#listeners.delete(response));
            return;
        }
        this.beforeSend(name);
        const file = fileFor(this.root, name);
        const found = file ?? path.join(this.root, '404.html');
        const type = TYPES[path.extname(found).toLowerCase()] ?? 'application/octet-stream';
        response.writeHead(file ? 200 : 404, { 'Content-Type': type, 'Cache-Control': 'no-store' });
        if (request.method === 'HEAD') response.end();
        else
            createReadStream(found)
                .on('error', () => response.destroy())
                .pipe(response);
    }
}

/**
 * Call back when something below a folder has changed, once for changes that come together.
 *
 * @param {string} folder
 * @param {() => Promise<void>} callback
 * @returns {() => void} Ends it.
 */
export function watchFolder(folder, callback) {
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    let isRunning = false;
    let isAgain = false;
    const run = async () => {
        if (isRunning) {
            isAgain = true;
            return;
        }
        isRunning = true;
        do {
            isAgain = false;
            await callback();
        } while (isAgain);
        isRunning = false;
    };
    const watcher = watch(folder, { recursive: true }, () => {
        clearTimeout(timer);
        timer = setTimeout(run, QUIET_MS);
    });
    return () => {
        clearTimeout(timer);
        watcher.close();
    };
}
