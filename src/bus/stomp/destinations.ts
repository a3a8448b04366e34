import { quotePart } from '../../lib/stomp/quote-part.ts'
import type { StompConfig } from './config.ts'

/*
 * ActiveMQ's virtual topics: what is sent to the topic lies in a queue of each name that has ever listened. Nothing has to be
 * declared. Facts: ActiveMQ's own configuration matches queues by `Consumer.*.VirtualTopic.>`, where `*` is one part between dots.
 */

/** A hint that is older says nothing that the node's own look in between has not found. */
export const TTL_MS = 600_000

export function topicOf({ topic }: Pick<StompConfig, 'topic'>): string {
  return `/topic/VirtualTopic.${topic}`
}

export function queueOf({ topic }: Pick<StompConfig, 'topic'>, node: string): string {
  return `/queue/Consumer.${quotePart(node)}.VirtualTopic.${topic}`
}
