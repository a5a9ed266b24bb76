// An agent that can be given no token is let in: a person opens pairing in VS Code, the agent sends its user to a page in
// a real browser, the number there is typed in VS Code, and the agent calls.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { auth } from '@modelcontextprotocol/sdk/client/auth.js';
import { Agent, fetch as fetchWith } from 'undici';
import { drive, screenshot } from '../host/browser.mjs';
import { startVscode } from '../host/startVscode.mjs';
import { enterText, notification, openWorkbench, pick, runCommand } from '../host/workbench.mjs';
import { asAgent } from './agent.mjs';
import { fixtureWorkspace } from './fixtureWorkspace.mjs';
import { consent, copyConfig, dismissToasts, exposeHere, openTunnelViews, treeRow } from './panelSteps.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('./agent.mjs').Access} Access */

/** @param {string} vsix @param {import('../host/hosts.mjs').HostName} [host] */
export async function pairing(vsix, host) {
  const fixture = await fixtureWorkspace();
  const vscode = await startVscode({ ...(host && { host }), extensionVsix: vsix });
  try {
    await drive(vscode, 'pairing', async (page) => {
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await openWorkbench(page, vscode.url, fixture.folder);
      await openTunnelViews(page);
      await exposeHere(page, 'everything');
      await consent(page, 'everything');
      await notification(page, 'everything is open to agents');
      const access = await copyConfig(page);
      await dismissToasts(page);
      // The tunnel's certificate is this machine's own; the person at this browser trusts it.
      const context = await page.context().browser()?.newContext({ ignoreHTTPSErrors: true });
      assert.ok(context);
      try {
        await letIn(page, await context.newPage(), access);
        await saysNo(page, await context.newPage(), access);
      } finally {
        await context.close();
      }
    });
  } finally {
    await vscode.close();
    await fixture.remove();
  }
}

/** @param {Page} page @param {Page} browser @param {Access} access */
async function letIn(page, browser, access) {
  await runCommand(page, 'MCP Tunnel: Pair an Agent…');
  await notification(page, /connect it to https:\/\/127\.0\.0\.1/);
  await screenshot(page, 'pairing-open');
  const agent = await anAgent(access);
  try {
    await browser.goto(agent.sentTo());
    await browser.getByRole('heading', { name: 'Type this number in VS Code' }).waitFor();
    await browser.getByText('Access goes to a program on this computer').waitFor();
    await screenshot(browser, 'pairing-browser');
    const number = (await browser.locator('#number').innerText()).trim();
    assert.match(number, /^\d{3} \d{3}$/);
    assert.equal(await browser.evaluate(() => document.scripts.length), 0);

    await page.getByPlaceholder(`Access goes to ${agent.host}. What may it do?`).waitFor();
    await treeRow(page, /^Travel planner wants to be let in/).waitFor();
    await screenshot(page, 'pairing-asked');
    await pick(page, 'Only tools that say they change nothing');
    await pick(page, '8 hours');
    await enterText(page, 'Type the number that the browser shows', number === '000 000' ? '000 001' : '000 000');
    await page.getByText('that was not it; 2 more').waitFor();
    await screenshot(page, 'pairing-number');
    await enterText(page, 'that was not it; 2 more', number);
    await notification(page, 'Travel planner is let in for 8 hours.');

    // The page looks again by itself, and leaves for the agent's own.
    await browser.getByText('the agent has heard of it').waitFor();
    await asAgent({ ...access, token: await agent.token() }, async (client) => {
      const { tools } = await client.listTools();
      assert.ok(tools.length > 0);
    });
    await dismissToasts(page);
    await screenshot(page, 'pairing-done');
  } finally {
    await agent.leave();
  }
}

/** @param {Page} page @param {Page} browser @param {Access} access */
async function saysNo(page, browser, access) {
  const agent = await anAgent(access);
  try {
    await browser.goto(agent.sentTo());
    await browser.getByRole('heading', { name: 'Ask the developer' }).waitFor();
    await screenshot(browser, 'pairing-closed');
    const row = treeRow(page, /^1 attempt to be let in/);
    await row.waitFor();
    await row.click();
    await notification(page, /connect it to https:\/\/127\.0\.0\.1/);
    await browser.reload();
    await browser.getByRole('heading', { name: 'Type this number in VS Code' }).waitFor();
    await pick(page, 'Do not let it in');
    await browser.getByText('the agent has heard of it').waitFor();
    assert.equal(agent.heard().get('error'), 'access_denied');
  } finally {
    await agent.leave();
  }
}

/** The SDK's own flow, up to the page that its user is sent to; it listens for what comes of it. @param {Access} access */
async function anAgent({ url, caFile }) {
  let heard = new URLSearchParams();
  const listener = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://127.0.0.1');
    if (pathname === '/callback') heard = searchParams; // Browsers ask for an icon, too.
    response.end('the agent has heard of it');
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (listener.address());
  const callback = `http://127.0.0.1:${port}/callback`;
  const dispatcher = new Agent({ connect: { ca: await readFile(caFile, 'utf8') } });
  /** @type {typeof fetch} */
  const fetchFn = async (input, init) => {
    const options = /** @type {object} */ ({ ...init, dispatcher });
    const { status, headers, body } = await fetchWith(/** @type {string} */ (input), options);
    return new Response(/** @type {ReadableStream} */ (body), { status, headers: [...headers] });
  };
  /** @type {Record<string, any>} */
  const kept = {};
  /** @type {import('@modelcontextprotocol/sdk/client/auth.js').OAuthClientProvider} */
  const provider = {
    redirectUrl: callback,
    clientMetadata: {
      client_name: 'Travel planner',
      redirect_uris: [callback],
      token_endpoint_auth_method: 'none',
    },
    clientInformation: () => kept['client'],
    saveClientInformation: (client) => void (kept['client'] = client),
    tokens: () => kept['tokens'],
    saveTokens: (tokens) => void (kept['tokens'] = tokens),
    redirectToAuthorization: (to) => void (kept['sentTo'] = to.href),
    saveCodeVerifier: (verifier) => void (kept['verifier'] = verifier),
    codeVerifier: () => kept['verifier'],
  };
  await auth(provider, { serverUrl: url, fetchFn });
  return {
    host: `127.0.0.1:${port}`,
    sentTo: () => /** @type {string} */ (kept['sentTo']),
    heard: () => heard,
    /** @returns {Promise<string>} */
    async token() {
      const answer = { authorizationCode: heard.get('code') ?? '', iss: heard.get('iss') ?? '' };
      await auth(provider, { serverUrl: url, fetchFn, ...answer });
      return kept['tokens'].access_token;
    },
    async leave() {
      listener.closeAllConnections();
      listener.close();
      await dispatcher.close();
    },
  };
}
