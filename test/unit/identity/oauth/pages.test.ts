import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  busyPage,
  closedPage,
  errorPage,
  lostPage,
  tooManyPage,
  waitingPage,
} from '../../../../src/identity/oauth/pages.ts';
import type { PairingClient } from '../../../../src/identity/oauth/pairingDesk.ts';

const client: PairingClient = { name: 'Claude', redirectHost: 'claude.ai', local: false, scopes: [] };
const pages = {
  waiting: waitingPage('012345', client),
  closed: closedPage(),
  busy: busyPage(),
  many: tooManyPage(),
  lost: lostPage(),
  error: errorPage(400, 'why'),
};

describe.each(Object.entries(pages))('the page “%s”', (_name, { headers, body }) => {
  it('runs nothing, loads nothing, is framed by nobody and kept by nobody', () => {
    const style = /<style>([^]*?)<\/style>/.exec(body)?.[1] ?? '';
    const hash = createHash('sha256').update(style).digest('base64');
    expect(headers['content-security-policy']).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'content-type': 'text/html; charset=utf-8',
    });
    expect(body).not.toMatch(/<script|<form|<img|<link|<iframe|\son\w+=|style="/i);
  });
});

describe('the waiting page', () => {
  it('shows the number, who asks and where the access goes, and looks again by itself', () => {
    const { status, body } = pages.waiting;
    expect(status).toBe(200);
    expect(body).toContain('>012 345<');
    expect(body).toContain('>Claude <small>(its own word)<');
    expect(body).toContain('>claude.ai<');
    expect(body).toContain('<meta http-equiv="refresh" content="2">');
    expect(body).not.toContain('id="local"');
  });

  it('warns where a program on the same computer would get it, and says who vouches for a name', () => {
    const { body } = waitingPage('012345', { ...client, local: true, documentHost: 'claude.ai' });
    expect(body).toContain('id="local"');
    expect(body).toContain('(says claude.ai)');
  });

  it('shows a stranger’s words as text', () => {
    const hostile = '</dd><script>alert(1)</script>"\'&';
    const { body } = waitingPage('012345', { ...client, name: hostile, redirectHost: hostile, documentHost: hostile });
    expect(body).not.toContain('<script');
    expect(errorPage(400, hostile).body).not.toContain('<script');
  });
});

it('pages that nobody has to wait at do not look again', () => {
  for (const { body } of [pages.closed, pages.busy, pages.lost, pages.error]) expect(body).not.toContain('http-equiv');
});
