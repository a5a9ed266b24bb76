// What a person does with this extension's own parts of the window.
import { until } from '../host/until.mjs';
import { dialog, notification, pick, runCommand } from '../host/workbench.mjs';
import { accessOf } from './agent.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** Opens the activity bar's container. @param {Page} page */
export async function openTunnelViews(page) {
  const tab = page.locator('.activitybar').getByRole('tab', { name: 'MCP Tunnel' });
  await tab.waitFor();
  if ((await tab.getAttribute('aria-expanded')) !== 'true') await tab.click();
  await page.getByRole('button', { name: 'Servers Section' }).waitFor();
}

/**
 * From the palette to the consent, for this machine only.
 * @param {Page} page
 * @param {string} server
 */
export async function exposeHere(page, server) {
  await runCommand(page, 'MCP Tunnel: Expose MCP Server');
  await pick(page, server);
  await pick(page, 'This machine only');
}

/** @param {Page} page @param {string} server */
export async function consent(page, server) {
  const question = await dialog(page, `Run “${server}” on this machine and expose it?`);
  await question.getByRole('button', { name: 'Run and Expose' }).click();
}

/** What an agent needs, as the only tunnel's configuration for curl says it. @param {Page} page */
export async function copyConfig(page) {
  await dismissToasts(page);
  await runCommand(page, 'MCP Tunnel: Copy Client Config…');
  await pick(page, 'curl');
  await notification(page, 'The configuration for curl is in the clipboard');
  return accessOf(await clipboard(page));
}

/** Toasts of earlier steps neither cover a picture nor stand for those of later ones. @param {Page} page */
export async function dismissToasts(page) {
  await runCommand(page, 'Notifications: Clear All Notifications');
  await page.locator('.notifications-toasts .notification-list-item').first().waitFor({ state: 'detached' });
}

/** @param {Page} page @param {string | RegExp} name */
export const treeRow = (page, name) => page.getByRole('treeitem', { name }).first();

/** @param {Page} page @returns {Promise<string>} */
export const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());

/**
 * A button on a tree's row, which shows when the pointer is there.
 * @param {Page} page
 * @param {string | RegExp} name of the row
 * @param {string} button
 */
export async function pressOnRow(page, name, button) {
  const row = treeRow(page, name);
  await row.hover();
  await row.getByRole('button', { name: button }).click();
}

/** Opens a folded row, unless it is open. @param {Page} page @param {string | RegExp} name */
export async function unfold(page, name) {
  const row = treeRow(page, name);
  await row.waitFor();
  const isOpen = async () => (await row.getAttribute('aria-expanded')) === 'true';
  if (await isOpen()) return;
  await row.click();
  // The tree may be built anew at this very moment, which folds the row again; the key only ever opens.
  await until(`${String(name)} to be open`, async () => {
    if (await isOpen()) return true;
    await page.keyboard.press('ArrowRight');
    return isOpen();
  });
}
