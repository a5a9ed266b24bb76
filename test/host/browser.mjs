// A window of the host in Debian's Chromium, cut off from every other address. When a drive fails, what a person
// would want to see is kept: the picture, the window's console, the server's output, VS Code's logs.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { onPath } from './onPath.mjs';
import { hostHome } from './places.mjs';

/**
 * @typedef {import('./startVscode.mjs').Vscode} Vscode
 * @typedef {import('playwright-core').Page} Page
 * @typedef {import('playwright-core').BrowserContext} BrowserContext
 */

const timeoutMs = 90_000;
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Names other than the host's do not resolve, for what no request interception sees (sockets, workers).
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
];

/**
 * Opens a browser, gives `body` an empty page, and closes the browser. The evidence of a failure lies in
 * `.vscode-test/failures/<name>/`; the error thrown says so.
 * @template T
 * @param {Vscode} vscode
 * @param {string} name of the drive, for its evidence
 * @param {(page: Page, note: (line: string) => void) => Promise<T>} body `note`: a line for the window's log
 * @param {{ allow?: (url: URL) => boolean }} [options] `allow`: addresses besides the host's that pages may ask for
 * @returns {Promise<T>}
 */
export async function drive(vscode, name, body, { allow = () => false } = {}) {
  const { chromium } = /** @type {typeof import('playwright-core')} */ (
    await import(pathToFileURL(vscode.playwright).href)
  );
  const browser = await chromium.launch({ executablePath: onPath('chromium'), args: flags });
  /** @type {string[]} */
  const windowLog = [];
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    context.setDefaultTimeout(timeoutMs);
    await refuseOthers(context, (url) => url.origin === new URL(vscode.url).origin || allow(url), windowLog);
    listen(context, windowLog);
    const page = await context.newPage();
    try {
      return await body(page, (line) => void windowLog.push(line));
    } catch (error) {
      const dir = await keepEvidence(vscode, name, context, windowLog);
      throw new Error(`${error instanceof Error ? error.message : error}\nevidence: ${dir}`, { cause: error });
    }
  } finally {
    await browser.close();
  }
}

/**
 * A picture of the page in `.vscode-test/screenshots/`.
 * @param {Page} page
 * @param {string} name
 * @returns {Promise<string>} its path
 */
export async function screenshot(page, name) {
  const path = join(hostHome, 'screenshots', `${fileName(name)}.png`);
  await page.screenshot({ path });
  return path;
}

/**
 * @param {BrowserContext} context
 * @param {(url: URL) => boolean} isAllowed
 * @param {string[]} windowLog
 */
async function refuseOthers(context, isAllowed, windowLog) {
  await context.route(
    (url) => !isAllowed(url),
    async (route) => {
      windowLog.push(`refused: ${route.request().url()}`);
      await route.abort('blockedbyclient');
    },
  );
}

/** @param {BrowserContext} context @param {string[]} windowLog */
function listen(context, windowLog) {
  context.on('console', (message) => windowLog.push(`${message.type()}: ${message.text()}`));
  context.on('weberror', (error) => windowLog.push(`uncaught: ${error.error().stack ?? error.error().message}`));
}

/**
 * @param {Vscode} vscode
 * @param {string} name
 * @param {BrowserContext} context
 * @param {readonly string[]} windowLog
 */
async function keepEvidence(vscode, name, context, windowLog) {
  const dir = join(hostHome, 'failures', fileName(name));
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'window.log'), `${windowLog.join('\n')}\n`);
  await vscode.keepLogs(dir);
  for (const [index, page] of context.pages().entries()) {
    await page.screenshot({ path: join(dir, `page-${index}.png`), timeout: 10_000 }).catch((error) => {
      // A crashed page has no picture; the failure itself matters more than this one.
      console.error(`no picture of page ${index}: ${error.message}`);
    });
  }
  return dir;
}

/** @param {string} name */
const fileName = (name) => name.replaceAll(/[^\w.-]+/g, '-');
