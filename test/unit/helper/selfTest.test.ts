import http2 from 'node:http2';
import { expect, it, onTestFinished } from 'vitest';
import { missingFromRuntime } from '../../../src/helper/selfTest.ts';

it('nothing is missing from the runtime that this product is made for', () => {
  expect(missingFromRuntime()).toEqual([]);
});

it('a runtime without HTTP/2 on a socket of our own is told so', () => {
  const { performServerHandshake } = http2;
  onTestFinished(() => void Object.assign(http2, { performServerHandshake }));
  Object.assign(http2, { performServerHandshake: undefined });
  expect(missingFromRuntime()).toEqual(['HTTP/2 on a socket of our own']);
});
