// The abuse in short; npm run test:abuse has the long one.
import { describe, it } from 'vitest';
import { survivesHalfOpen, survivesHellos, survivesNeverRead, survivesSlowHttp } from '../abuse/expectations.ts';

describe('a good visitor is served, and the edge’s memory is bounded, under', () => {
  it('1,000 connections that say nothing', () => survivesHalfOpen(1000));
  it('1,000 hellos, made up and mutated', () => survivesHellos(1000));
  it('slowhttptest, at a route and at both doors', () => survivesSlowHttp(['headers'], 100, 3));
  it('30 readers that never read', () => survivesNeverRead(30));
});
