import { hash } from 'node:crypto'

/** Lower-case hex SHA-256. */
export function sha256(content: Uint8Array | string): string {
  return hash('sha256', content)
}

export function isSha256(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text)
}
