import { z } from 'zod'
import { address, path } from './units.ts'

/** Where the command line of Digital Rebar finds its API over TLS; over plain HTTP it is at the hub's own address. */
export const drp = z
  .strictObject({
    listen: address().describe('address and port, such as 0.0.0.0:8092, where `drpcli` looks for it'),
    certificate: path().describe('file of the certificate in PEM, with those that it needs to be believed'),
    key: path().describe('file of its key in PEM; nobody else may be able to read it'),
  })
  .optional()

export type DrpConfig = NonNullable<z.output<typeof drp>>
