// A small answer as text, and an answer with another text in it.
import { Readable } from 'node:stream';
import type { UpstreamResponse } from '../upstream/upstream.ts';

/** `undefined` where it is larger than `maxBytes`. */
export async function bodyText(body: Readable, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

export function withBody(answer: UpstreamResponse, text: string): UpstreamResponse {
  const bytes = Buffer.from(text);
  const headers = { ...answer.headers };
  if (headers['content-length'] !== undefined) headers['content-length'] = String(bytes.length);
  return { ...answer, headers, body: Readable.from([bytes], { objectMode: false }) };
}
