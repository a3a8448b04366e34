import { afterAll, beforeAll } from 'vitest'
import { type EtcdCluster, startEtcd } from '../helpers/etcd.ts'
import { isThere, needs } from '../helpers/needs.ts'
import { coordinationContract } from './coordination.ts'
import { profilesContract } from './profiles.ts'
import { etcdOpener } from './store/etcd-opener.ts'

const test = await needs({ tools: ['etcd'] })
let etcd: EtcdCluster | undefined

if (isThere('etcd')) {
  // As it comes from the package: hubs need no flag of it.
  beforeAll(async () => void (etcd = await startEtcd()))
  afterAll(async () => await etcd?.stop())
  const open = etcdOpener(() => etcd)
  coordinationContract('etcd', open)
  profilesContract('etcd', open)
} else test('etcd carries coordination and profiles', () => {})
