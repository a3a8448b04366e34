import { FlotillaError, messageOf } from '../../core/errors.ts'
import { brokersOf } from './address.ts'
import { connectStomp, type StompConnection, type StompLogin } from './connection.ts'

/** One connection to the first broker of `url` that answers, for a look. Rejects with `UNREACHABLE` and why none did. */
export async function connectFirst({ url, ...login }: StompLogin & { readonly url: string }): Promise<StompConnection> {
  const failures: string[] = []
  for (const broker of brokersOf(url)) {
    try {
      return await connectStomp(broker, login, new AbortController().signal)
    } catch (error) {
      failures.push(messageOf(error))
    }
  }
  throw new FlotillaError('UNREACHABLE', `${url}: ${failures.join('; ')}`)
}
