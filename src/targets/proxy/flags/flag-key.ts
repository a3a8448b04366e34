import { timingSafeEqual } from 'node:crypto'
import { sha256 } from '../../../lib/hash.ts'
import type { Secret } from '../../../lib/secret.ts'

const INT_MIN = -(2 ** 31)

/**
 * The key with which anybody may set a flag for one dataset. facts: ERDDAP's EDD.flagKey: with https a SHA-256 in hex, with
 * http three Java hashes. `url` is that of the public ERDDAP, such as `https://data.example.org/erddap`.
 */
export function flagKey(url: string, dataset: string, key: Secret): string {
  const secret = key.reveal()
  if (url.startsWith('https')) return sha256(`${url}_${dataset}_${secret}`)
  return String((javaHash(url) ^ javaHash(dataset) ^ javaHash(secret)) - INT_MIN)
}

/** In a time that tells nothing of the key: digests are of one length, and every address is looked at. */
export function isFlagKey(shown: string, urls: readonly string[], dataset: string, key: Secret): boolean {
  const digest = Buffer.from(sha256(shown))
  const same = urls.map((url) => timingSafeEqual(digest, Buffer.from(sha256(flagKey(url, dataset, key)))))
  return same.includes(true)
}

/** String.hashCode of Java. */
function javaHash(text: string): number {
  let hash = 0
  for (let index = 0; index < text.length; index++) hash = (Math.imul(31, hash) + text.charCodeAt(index)) | 0
  return hash
}
