// A request's body, whole, up to a bound. What goes over it is refused without being kept.
import { ByteBuffer } from '../core/byteBuffer.ts';
import type { HttpRequest } from './http.ts';

export type BodyVerdict = { kind: 'body'; bytes: Buffer } | { kind: 'too-large' } | { kind: 'aborted' };

export function readBody(request: HttpRequest, maxBytes: number): Promise<BodyVerdict> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) return Promise.resolve({ kind: 'too-large' });
  return new Promise((resolve) => {
    const body = new ByteBuffer();
    const settle = (verdict: BodyVerdict): void => {
      request.off('data', onData);
      request.off('end', onEnd);
      request.off('close', onClose);
      request.off('error', onClose);
      resolve(verdict);
    };
    const onData = (chunk: Buffer): void => {
      if (body.length + chunk.length <= maxBytes) return body.append(chunk);
      request.pause(); // Whoever answers decides what becomes of the rest.
      settle({ kind: 'too-large' });
    };
    const onEnd = (): void => {
      const { buffer, byteOffset, length } = body.take();
      settle({ kind: 'body', bytes: Buffer.from(buffer, byteOffset, length) });
    };
    const onClose = (): void => settle({ kind: 'aborted' });
    request.on('data', onData);
    request.on('end', onEnd);
    request.on('close', onClose);
    request.on('error', onClose);
  });
}
