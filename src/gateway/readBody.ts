// A request's body, whole, up to a bound. What goes over it is refused without being kept.
import type { HttpRequest } from './http.ts';

export type BodyVerdict = { kind: 'body'; bytes: Buffer } | { kind: 'too-large' } | { kind: 'aborted' };

export function readBody(request: HttpRequest, maxBytes: number): Promise<BodyVerdict> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) return Promise.resolve({ kind: 'too-large' });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (verdict: BodyVerdict): void => {
      request.off('data', onData);
      request.off('end', onEnd);
      request.off('close', onClose);
      request.off('error', onClose);
      resolve(verdict);
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > maxBytes) settle({ kind: 'too-large' });
      else chunks.push(chunk);
    };
    const onEnd = (): void => settle({ kind: 'body', bytes: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) });
    const onClose = (): void => settle({ kind: 'aborted' });
    request.on('data', onData);
    request.on('end', onEnd);
    request.on('close', onClose);
    request.on('error', onClose);
  });
}
