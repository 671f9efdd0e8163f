/** One runner of many, on loopback: the engine of a cluster whose store is Postgres. */
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as ClusterWorkflowEngine from "effect/cluster/ClusterWorkflowEngine"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as StalledRuns from "../../../src/workflow/StalledRuns.ts"

export const layer = (url: string, port: number) =>
  StalledRuns.layer({ after: "5 seconds" }).pipe(
    Layer.provideMerge(ClusterWorkflowEngine.layer),
    Layer.provideMerge(NodeClusterSocket.layer({
      storage: "sql",
      shardingConfig: {
        runnerAddress: Option.some(RunnerAddress.make("127.0.0.1", port)),
        runnerHealthCheckInterval: "1 second",
        shardLockExpiration: "6 seconds",
        shardLockRefreshInterval: "2 seconds",
        refreshAssignmentsInterval: "500 millis",
        entityMessagePollInterval: "250 millis",
        entityTerminationTimeout: "2 seconds",
        maxResidentEntities: 1_000_000
      }
    })),
    Layer.provideMerge(PgClient.layer({ url: Redacted.make(url), maxConnections: 6 }))
  )
