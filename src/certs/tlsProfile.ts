// How every TLS server of ours that speaks more than TLS 1.3 is set up: forward secrecy and authenticated encryption
// alone (RFC 9325 §4.2), our order rather than the client's, and no renegotiation, which only ever helped attackers.
import { constants } from 'node:crypto';

/** For `createSecureContext` and `setSecureContext`. TLS 1.3 has no others; of TLS 1.2 these are left. */
export const strongTls = {
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
  honorCipherOrder: true,
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const;
