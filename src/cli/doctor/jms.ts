import type { JmsConfig } from '../../config/jms.ts'
import { messageOf } from '../../core/errors.ts'
import { type Check, type Finding, ok, warn } from './check.ts'

/** The broker of a JMS cluster beside which Flotilla runs. It is a hint only: nothing here is a failure. */
export function jmsCheck(group: string, jms: JmsConfig, base: string): Check {
  return { group, name: 'JMS cluster', run: async () => await look(jms, base) }
}

async function look(jms: JmsConfig, base: string): Promise<Finding> {
  const { probeJmsCluster, LACKS_XSTREAM } = await import('../../app/jms.ts')
  try {
    const { tellsWhat } = await probeJmsCluster(jms, base)
    if (tellsWhat) return ok(`${jms.url} tells what changes in ${jms.topic}`)
    return warn(`${jms.url} tells that something changed in ${jms.topic}, and not what`, LACKS_XSTREAM)
  } catch (error) {
    return warn(
      `${messageOf(error)}; changes are noticed in the data directory all the same`,
      'Start the broker, or correct `jms` in the agent’s configuration.',
    )
  }
}
