import { randomBytes } from 'node:crypto'
import { FlotillaError } from '../core/errors.ts'
import { Secret } from './secret.ts'

/** 100 random bits as people read them out: `7K2M-Q9XD-4TPA-0FZ3-H8WN`. */
export function newSealCode(): Secret {
  const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
  const characters = Array.from(randomBytes(20), (byte) => alphabet[byte % alphabet.length]).join('')
  return new Secret(characters.match(/.{4}/g)?.join('-') ?? characters)
}

/** As people type it: any case, with or without dashes. */
export function typedSealCode(text: string): Secret {
  const plain = text.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll('O', '0').replaceAll(/[IL]/g, '1')
  if (!/^[0-9A-HJKMNP-TV-Z]{20}$/.test(plain)) {
    throw new FlotillaError('USAGE', 'the code has 20 letters and digits, as `flotilla catalog provision` shows it')
  }
  return new Secret(plain.match(/.{4}/g)?.join('-') ?? plain)
}
