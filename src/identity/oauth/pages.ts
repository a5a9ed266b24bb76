// What a person sees in the browser: plain HTML without a script, that no other page may frame and that loads nothing.
// Everything a client said of itself is text.
import { createHash } from 'node:crypto';
import type { PairingClient } from './pairingDesk.ts';

export type Page = { status: number; headers: Record<string, string>; body: string };

/** How often the waiting page looks again. */
export const refreshS = 2;

const style = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:34rem;margin:12vh auto;padding:0 1.25rem}
h1{font-size:1.35rem;font-weight:600}
.number{font:600 3rem/1.2 ui-monospace,monospace;letter-spacing:.12em;margin:1.5rem 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}
dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}
.warning{border-left:.25rem solid #c80;padding-left:.9rem}
small{opacity:.75}`;

const policy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function waitingPage(number: string, client: PairingClient): Page {
  const { name, redirectHost, local, documentHost } = client;
  const shown = `${number.slice(0, 3)} ${number.slice(3)}`;
  return page(200, {
    title: 'Type this number in VS Code',
    refresh: true,
    body: `<p>The developer of this tunnel types it to let the agent in. Keep this page open.</p>
<p class="number" id="number">${text(shown)}</p>
<dl><dt>Agent</dt><dd id="client">${text(name)}${
      documentHost === undefined ? ' <small>(its own word)</small>' : ` <small>(says ${text(documentHost)})</small>`
    }</dd>
<dt>Access goes to</dt><dd id="redirect">${text(redirectHost)}</dd></dl>
${
  local
    ? '<p class="warning" id="local">Access goes to a program on this computer. Any program here could claim this name: go on only if you started the connection yourself, just now.</p>'
    : ''
}<p><small>Headless? The number is asked for on the terminal of mcp-tunnel.</small></p>`,
  });
}

export function closedPage(): Page {
  return page(403, {
    title: 'Ask the developer',
    body: `<p>Nobody is letting agents in here at the moment.</p>
<p>Ask the developer of this tunnel to choose <b>Pair an Agent…</b> in VS Code (or to press <b>p</b> in the terminal of mcp-tunnel), then reload this page.</p>`,
  });
}

export function busyPage(): Page {
  return page(409, {
    title: 'Another agent is being let in',
    body: '<p>One agent at a time. Reload this page when the other one is done.</p>',
  });
}

export function tooManyPage(): Page {
  return page(429, { title: 'Too many attempts', body: '<p>Wait a minute, then reload this page.</p>' });
}

export function lostPage(): Page {
  return page(400, {
    title: 'This page is over',
    body: '<p>It belongs to another browser, or to a request that has ended. Start again from your agent.</p>',
  });
}

/** `reason` may hold words of a stranger. */
export function errorPage(status: number, reason: string): Page {
  return page(status, {
    title: 'This agent cannot be let in',
    body: `<p id="reason">${text(reason)}</p><p>Nothing was granted. Start again from your agent.</p>`,
  });
}

function page(status: number, { title, body, refresh }: { title: string; body: string; refresh?: boolean }): Page {
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': policy,
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    },
    body: `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${text(title)} · MCP Tunnel</title>
<meta name="viewport" content="width=device-width">${
      refresh ? `<meta http-equiv="refresh" content="${refreshS}">` : ''
    }<style>${style}</style></head>
<body><h1>${text(title)}</h1>
${body}
</body></html>
`,
  };
}

function text(raw: string): string {
  return raw.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
