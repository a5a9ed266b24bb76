// What a person does in VS Code's window, as steps that wait for what they need and never for a time.
// The selectors are the workbench's own; they hold from 1.103 to 1.139.
import { until } from './until.mjs';

/**
 * @typedef {import('playwright-core').Page} Page
 * @typedef {import('playwright-core').Frame} Frame
 * @typedef {import('playwright-core').Locator} Locator
 */

const attemptMs = 3_000;
const timeoutMs = 90_000;

/**
 * Opens a window of the host on `folder`, or an empty one.
 * @param {Page} page
 * @param {string} url of the host
 * @param {string} [folder] absolute path
 */
export async function openWorkbench(page, url, folder) {
  const address = new URL(url);
  if (folder) address.searchParams.set('folder', folder);
  await page.goto(address.href, { waitUntil: 'commit' });
  await workbenchReady(page);
}

/** After a reload, too. @param {Page} page */
export async function workbenchReady(page) {
  await page.locator('.monaco-workbench .part.statusbar [id="status.host"]').waitFor();
}

/**
 * Runs a command from the palette, and waits for `next` to show if it is given. The palette closes whenever something
 * else takes the focus and lists only what is contributed by then, so it is opened again until the command was clicked;
 * a command that was clicked is never clicked twice.
 * @param {Page} page
 * @param {string} title as the palette shows it, `Category: Title`; a leading `>` may stand
 * @param {Locator} [next]
 */
export async function runCommand(page, title, next) {
  const shown = title.replace(/^>/, '');
  const attempt = async () => {
    await page.keyboard.press('F1');
    await quickInput(page).fill(`>${shown}`, { timeout: attemptMs });
    await quickPickRow(page, shown).click({ timeout: attemptMs });
    return true;
  };
  /** @type {unknown} */
  let lastError;
  const clicked = () =>
    attempt().catch(async (error) => {
      lastError = error;
      // A palette that is still open keeps the list it was opened with.
      if (await quickInput(page).isVisible()) await page.keyboard.press('Escape');
      return false;
    });
  await until(`the command ${shown}`, clicked, timeoutMs).catch((error) => {
    throw new Error(error.message, { cause: lastError });
  });
  await next?.waitFor();
}

/**
 * Picks the row of a quick pick whose label is exactly `label` (icons aside).
 * @param {Page} page
 * @param {string} label
 */
export async function pick(page, label) {
  await quickPickRow(page, label).click();
}

/**
 * Types into the input box that shows `prompt` (or has it as its placeholder), and confirms.
 * @param {Page} page
 * @param {string} prompt
 * @param {string} value
 */
export async function enterText(page, prompt, value) {
  const widget = page.locator('.quick-input-widget:visible');
  const shown = widget.filter({ hasText: prompt }).or(widget.filter({ has: page.getByPlaceholder(prompt) }));
  await shown.waitFor();
  await quickInput(page).fill(value);
  await quickInput(page).press('Enter');
}

/**
 * The document inside a webview, two frames below the window. A string is compared with the panel's title and with the
 * document's; the first webview of a window takes some seconds.
 * @param {Page} page
 * @param {string | ((frame: Frame) => boolean | Promise<boolean>)} wanted
 * @returns {Promise<Frame>}
 */
export async function webviewFrame(page, wanted) {
  const isWanted = typeof wanted === 'string' ? (/** @type {Frame} */ frame) => isTitled(frame, wanted) : wanted;
  const find = async () => {
    for (const frame of page.frames()) {
      // A frame that went away while we looked is not the one.
      if (await isWebview(frame, isWanted).catch(() => false)) return frame;
    }
    return undefined;
  };
  return until(`the webview ${wanted}`, find, timeoutMs);
}

/**
 * The toast that shows `text`; its buttons are `.getByRole('button', { name })`.
 * @param {Page} page
 * @param {string | RegExp} text
 */
export async function notification(page, text) {
  const toast = page.locator('.notifications-toasts .notification-list-item').filter({ hasText: text }).first();
  await toast.waitFor();
  return toast;
}

/**
 * The modal dialog that shows `text`; its buttons are `.getByRole('button', { name })`.
 * @param {Page} page
 * @param {string | RegExp} text
 */
export async function dialog(page, text) {
  const box = page.locator('.monaco-dialog-box').filter({ hasText: text });
  await box.waitFor();
  return box;
}

/** Trusts what a window opened in restricted mode (`workspaceTrust: true`) holds. @param {Page} page */
export async function trustFolder(page) {
  const restricted = page.locator('.part.statusbar [id="status.workspaceTrust"]');
  await restricted.click();
  const editor = page.locator('.workspace-trust-editor');
  await editor.getByRole('button', { name: 'Trust', exact: true }).click();
  await restricted.waitFor({ state: 'detached' });
  await runCommand(page, 'View: Close Editor');
  await editor.waitFor({ state: 'detached' });
}

/** @param {Page} page */
const quickInput = (page) => page.locator('.quick-input-widget:visible input.input:visible').first();

/** @param {Page} page @param {string} label */
function quickPickRow(page, label) {
  const labelled = page.locator('.label-name').getByText(label, { exact: true });
  return page.locator('.quick-input-widget:visible .monaco-list-row').filter({ has: labelled }).first();
}

/** @param {Frame} frame @param {(frame: Frame) => boolean | Promise<boolean>} isWanted */
async function isWebview(frame, isWanted) {
  if (!frame.parentFrame()?.parentFrame()) return false;
  const element = await frame.frameElement();
  return (await element.getAttribute('id')) === 'active-frame' && (await isWanted(frame));
}

/** @param {Frame} frame @param {string} title */
async function isTitled(frame, title) {
  const element = await frame.frameElement();
  return (await element.getAttribute('title')) === title || (await frame.title()) === title;
}
