#!/usr/bin/env python3
"""Elasticsearch's door: npm's @elastic/elasticsearch with its bulk helper, what Beats and Logstash ask
on connecting, and bulk bodies good and bad."""
import base64
import glob
import gzip
import json
import time
import urllib.parse

import npm_clients
import pharos_test as pt
import rsyslog


class Case(pt.Case):
    SETS = ()

    def setUp(self):
        super().setUp()
        self.port = pt.free_port()
        self.pharos = self.server("telemetry.interval=1h",
                                  f"doors.elastic.listen=127.0.0.1:{self.port}", *self.SETS)
        self.url = f"http://127.0.0.1:{self.port}"

    def ask(self, method, path, body=None, expect=200, base=None, **headers):
        answer = pt.request((base or self.url) + path, method=method, body=body,
                            headers={k.replace("_", "-"): v for k, v in headers.items()})
        self.assertEqual(answer.status, expect, f"{method} {path}: {answer.text}")
        self.assertEqual(answer.headers["X-Elastic-Product"], "Elasticsearch", path)
        return answer

    def bulk(self, *lines, path="/_bulk", expect=200, **headers):
        body = "".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines).encode()
        return self.ask("POST", path, body, expect, Content_Type="application/x-ndjson",
                        **headers).json()

    def lines(self, query):
        """{line: labels}"""
        answer = pt.request(self.pharos.url + "/loki/loki/api/v1/query_range?"
                            + urllib.parse.urlencode({"query": query, "limit": 10000}))
        self.assertEqual(answer.status, 200, answer.text)
        return {v[1]: s["stream"] for s in answer.json()["data"]["result"] for v in s["values"]}

    def count(self, query):
        answer = pt.request(self.pharos.url + "/loki/loki/api/v1/query?"
                            + urllib.parse.urlencode({"query": f"sum(count_over_time({query}[1h]))"}))
        return int(answer.json()["data"]["result"][0]["value"][1])


class Client(Case):
    def test_bulk_helper(self):
        got = json.loads(npm_clients.node(self, "elastic_client.cjs", self.url))
        self.assertEqual(got["done"]["total"], 5001)
        self.assertEqual(got["done"]["successful"], 5000)
        self.assertEqual(got["done"]["failed"], 1)
        self.assertEqual([(d["status"], d["type"]) for d in got["dropped"]],
                         [(400, "document_parsing_exception")])
        self.assertIn("'yesterday' is neither ISO 8601", got["dropped"][0]["reason"])
        self.assertEqual(got["one"], "created")
        self.assertEqual(self.count('{service_name="shop"}'), 5000)
        line, labels = self.lines('{service_name="shop"} | order_id="1200"').popitem()
        self.assertEqual(line, "order 1200 taken")
        self.assertEqual({k: labels[k] for k in ("detected_level", "host_name", "index", "order_id",
                                                 "order_tags", "order_total", "log_level")},
                         {"detected_level": "error", "host_name": "web1",
                          "index": "logs-shop-default", "order_id": "1200",
                          "order_tags": '["a","b"]', "order_total": "1.5", "log_level": "error"})
        self.assertIn("one", self.lines('{service_name="solo"}'))
        self.assertEqual(self.pharos.metric("pharos_elastic_received_documents_total"), 5001)


class Rsyslog(Case):
    def test_its_bulks(self):
        """Debian's rsyslog with its module for Elasticsearch (libcurl, bulks of many lines)."""
        if not glob.glob("/usr/lib/*/rsyslog/omelasticsearch.so"):
            self.skipTest("rsyslog-elasticsearch is not installed")
        rules = f"""
module(load="omelasticsearch")
template(name="doc" type="list" option.jsonf="on") {{
  property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host.name" name="hostname" format="jsonf")
  property(outname="log.level" name="syslogseverity-text" format="jsonf")
  property(outname="service.name" name="programname" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}}
template(name="index" type="string" string="logs-rsyslog-default")
action(type="omelasticsearch" server="127.0.0.1" serverport="{self.port}" usehttps="off" template="doc"
       searchIndex="index" dynSearchIndex="on" searchType="" bulkmode="on" maxbytes="1m"
       queue.type="linkedlist" queue.dequeuebatchsize="300" errorfile="{self.work}/es-errors")
"""
        with rsyslog.start(self, rules) as s:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
            for i in range(1000):
                s.sendall(f'<11>1 {stamp} web1 shop 5 - - line {i} "quoted" ä\n'.encode())
        pt.wait_for("all lines", lambda: self.lines('{service_name="shop"}').__len__() == 1000)
        line, labels = next(iter(self.lines('{service_name="shop"} |= "line 7 "').items()))
        self.assertEqual(line.strip(), 'line 7 "quoted" ä')
        self.assertEqual((labels["host_name"], labels["detected_level"], labels["index"]),
                         ("web1", "error", "logs-rsyslog-default"))
        self.assertFalse((self.work / "es-errors").exists(), "rsyslog was told of errors")


class Handshake(Case):
    def test_a_beat_connects(self):
        agent = "Elastic-Filebeat/8.17.2 (linux; amd64; abc; 2025-01-01 00:00:00 +0000 UTC)"
        info = self.ask("GET", "/", User_Agent=agent).json()
        self.assertEqual(info["version"]["number"], "8.17.2")
        self.assertEqual(info["version"]["build_flavor"], "default")
        self.assertEqual(info["tagline"], "You Know, for Search")
        self.assertEqual(self.ask("GET", "/_license?human=false").json()["license"]["status"], "active")
        self.ask("GET", "/_ilm/policy/filebeat")
        self.ask("HEAD", "/_index_template/filebeat-8.17.2")
        self.ask("GET", "/_data_stream/filebeat-8.17.2")
        for path in ("/_ilm/policy/filebeat", "/_index_template/f", "/_data_stream/f",
                     "/_ingest/pipeline/f", "/_component_template/f", "/_template/f"):
            self.assertTrue(self.ask("PUT", path, b"{}").json()["acknowledged"], path)
        now = time.strftime("%Y-%m-%dT%H:%M:%S.123Z", time.gmtime(time.time() - 2))
        got = self.bulk({"create": {"_index": "filebeat-8.17.2"}},
                        {"@timestamp": now, "message": "from a beat", "host": {"name": "h"},
                         "agent": {"type": "filebeat"}, "event": {"dataset": "nginx.access"}},
                        path="/_bulk?filter_path=errors%2Citems.%2A.error%2Citems.%2A.status")
        self.assertEqual(got, {"errors": False, "items": [{"create": {"status": 201}}]})
        self.assertEqual(self.lines('{service_name="nginx.access"}')["from a beat"]["agent_type"],
                         "filebeat")

    def test_others_connect(self):
        self.ask("HEAD", "/")
        self.assertEqual(self.ask("GET", "/").json()["version"]["number"], "8.19.0")
        self.assertEqual(self.ask("GET", "/_cluster/health").json()["status"], "green")
        self.assertTrue(self.ask("GET", "/_xpack").json()["license"]["type"], "basic")
        nodes = self.ask("GET", "/_nodes/http").json()["nodes"]
        self.assertEqual([n["http"]["publish_address"] for n in nodes.values()],
                         [f"127.0.0.1:{self.port}"])
        self.ask("GET", "/_nodes/ingest")
        self.ask("HEAD", "/_template/logstash")
        self.ask("GET", "/_cat/plugins")
        self.assertEqual(self.ask("GET", "/_what", expect=404).json()["error"]["type"],
                         "resource_not_found_exception")
        self.assertIn("LogQL", self.ask("POST", "/x/_search", b"{}", expect=501).text)
        answer = self.ask("GET", "/", Accept="application/vnd.elasticsearch+json; compatible-with=8")
        self.assertEqual(answer.headers["Content-Type"],
                         "application/vnd.elasticsearch+json;compatible-with=8")
        # under its prefix on the main door
        self.ask("GET", "/elastic/", base=self.pharos.url)
        self.ask("GET", "/elastic/_license", base=self.pharos.url)


class Bulk(Case):
    SETS = ("limits.line_size=1KiB",)

    def test_item_by_item(self):
        now = int(time.time() * 1000)
        got = self.bulk({"index": {}}, {"@timestamp": now, "message": "good", "app": "a"},
                        {"create": {"_id": "7"}}, "{broken",
                        {"index": {"_index": "UPPER"}}, {"message": "x"},
                        {"update": {"_id": "1"}}, {"doc": {"a": 1}},
                        {"delete": {"_id": "1"}},
                        {"index": {}}, {"@timestamp": 0, "message": "old"},
                        {"index": {}}, {"@timestamp": now, "message": "x" * 2000},
                        {"index": {"_id": "mine"}}, {"@timestamp": str(now), "log": "also good", "app": "a"},
                        path="/idx-2024.01.02/_bulk")
        self.assertTrue(got["errors"])
        items = [(next(iter(i)), next(iter(i.values()))) for i in got["items"]]
        self.assertEqual([(a, i["status"]) for a, i in items],
                         [("index", 201), ("create", 400), ("index", 400), ("update", 400),
                          ("delete", 400), ("index", 400), ("index", 400), ("index", 201)])
        self.assertEqual(items[1][1]["error"]["type"], "document_parsing_exception")
        self.assertIn("lowercase", items[2][1]["error"]["reason"])
        self.assertIn("do not change", items[3][1]["error"]["reason"])
        self.assertIn("retention.logs", items[5][1]["error"]["reason"])
        self.assertIn("limits.line_size", items[6][1]["error"]["reason"])
        self.assertEqual((items[7][1]["_id"], items[7][1]["_index"]), ("mine", "idx-2024.01.02"))
        got = self.lines('{index="idx"}')
        self.assertEqual(set(got), {"good", "also good"})
        self.assertEqual(got["also good"]["_id"], "mine")
        self.assertEqual(self.pharos.metric("pharos_elastic_refused_documents_total", "bad_json"), 1)

    def test_bodies(self):
        got = self.bulk({"foo": {}}, {"a": 1}, expect=400)
        self.assertIn("Malformed action/metadata line [1]", got["error"]["reason"])
        self.assertEqual(self.ask("POST", "/_bulk", b"", 400).json()["status"], 400)
        self.assertIn("source", self.bulk({"index": {"_index": "i"}}, expect=400)["error"]["reason"])
        # gzip, CRLF, no newline at the end, blank lines between
        body = b'{"index":{"_index":"i"}}\r\n{"message":"zipped"}\r\n\n{"index":{"_index":"i"}}\n{"msg":"last"}'
        got = self.ask("POST", "/_bulk", gzip.compress(body), Content_Encoding="gzip").json()
        self.assertFalse(got["errors"])
        self.assertEqual(set(self.lines('{index="i"}')), {"zipped", "last"})

    def beat(self, metricset, module="system", **more):
        return {"@timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
                "metricset": {"name": metricset, "period": 10000},
                "event": {"module": module, "dataset": f"{module}.{metricset}", "duration": 115000},
                "service": {"type": module}, "ecs": {"version": "8.0.0"},
                "agent": {"type": "metricbeat", "id": "a1", "version": "8.17.2"},
                "host": {"name": "web1", "architecture": "x86_64", "ip": ["10.0.0.1"]}, **more}

    def series(self, query):
        """{labels: value}"""
        return {tuple(sorted(r["metric"].items())): float(r["value"][1])
                for r in self.pharos.query(query)}

    def test_measurements_are_series(self):
        create = {"create": {"_index": "metricbeat-8.17.2"}}
        docs = [
            self.beat("cpu", system={"cpu": {"user": {"pct": 0.25, "norm": {"pct": 0.0625}}, "cores": 4}}),
            self.beat("network", system={"network": {"name": "eth0", "in": {"bytes": 1000}, "out": {"bytes": 7}}}),
            self.beat("network", system={"network": {"name": "lo", "in": {"bytes": 5}, "out": {"bytes": 5}}}),
            self.beat("filesystem", system={"filesystem": {"device_name": "/dev/sda1", "mount_point": "/",
                                                           "type": "ext4", "used": {"pct": 0.5}}}),
            self.beat("process", process={"name": "nginx", "pid": 42, "args": ["nginx"], "state": "sleeping",
                                          "parent": {"pid": 1}, "command_line": "nginx -g daemon"},
                      system={"process": {"cmdline": "nginx -g daemon", "num_threads": 3, "state": "sleeping",
                                          "cpu": {"start_time": "2024-01-02T03:04:05.000Z",
                                                  "total": {"pct": 0.01}}}}),
            self.beat("info", "redis", service={"address": "redis:6379", "type": "redis"},
                      redis={"info": {"clients": {"connected": 2}, "cluster": {"enabled": False}}})]
        got = self.bulk(*[line for doc in docs for line in (create, doc)])
        self.assertEqual([i["create"]["status"] for i in got["items"]], [201] * len(docs))
        host = ("host_name", "web1")
        for query, expected in (
                ("system_cpu_user_pct", {(host,): 0.25}),
                ("system_cpu_user_norm_pct", {(host,): 0.0625}),
                ("system_cpu_cores", {(host,): 4}),
                ("system_network_in_bytes", {
                    (host, ("name", "eth0")): 1000,
                    (host, ("name", "lo")): 5}),
                ("system_filesystem_used_pct", {
                    (("device_name", "/dev/sda1"), host, ("mount_point", "/")): 0.5}),
                ("system_process_num_threads", {
                    (host, ("process_name", "nginx"), ("process_pid", "42")): 3}),
                ("redis_info_clients_connected", {
                    (host, ("service_address", "redis:6379")): 2}),
                ("redis_info_cluster_enabled", {
                    (host, ("service_address", "redis:6379")): 0})):
            self.assertEqual({tuple(kv for kv in k if kv[0] != "__name__"): v
                              for k, v in self.series(query).items()}, expected, query)
        self.assertEqual(self.series('{__name__=~"metricset.*|event.*|.*pid"}'), {})
        self.assertEqual(self.lines('{index="metricbeat-8.17.2"}'), {})
        self.assertEqual(self.pharos.metric("pharos_elastic_metric_documents_total"), 6)
        self.assertEqual(self.pharos.metric("pharos_elastic_metric_samples_total"), 12)
        # What measures nothing is a line, and so is what is no Beat's; a bad time is told at its item.
        event = self.beat("event", "docker", docker={"event": {"status": "start", "action": "start"}})
        bad = {**self.beat("cpu", system={"cpu": {"cores": 4}}), "@timestamp": "yesterday"}
        got = self.bulk(create, event, create, bad, create, {"message": "hi", "n": 1})
        self.assertEqual([i["create"]["status"] for i in got["items"]], [201, 400, 201])
        self.assertEqual(len(self.lines('{index="metricbeat-8.17.2"}')), 2)
        self.assertEqual(self.pharos.metric("pharos_elastic_refused_documents_total", "bad_timestamp"), 1)

    def test_good_and_bad_measurements(self):
        """The good ones of a bulk are kept, the bad ones answered with their reasons."""
        create, docs = {"create": {"_index": "metricbeat"}}, []
        times = {"old": "1990-01-01T00:00:00Z", "good": None, "new": "2200-01-01T00:00:00Z", "odd": "noon", "more": None}
        for name, at in times.items():
            doc = self.beat("network", system={"network": {"name": name, "in": {"bytes": 1, "errors": 0}}})
            docs.append({**doc, "@timestamp": at} if at else doc)
        got = self.bulk(*[line for doc in docs for line in (create, doc)], create, '{"metricset":')
        items = [i["create"] for i in got["items"]]
        self.assertEqual([i["status"] for i in items], [400, 201, 400, 400, 201, 400])
        for i, word in ((0, "retention.metrics"), (2, "limits.future"), (3, "noon"), (5, "JSON")):
            self.assertIn(word, items[i]["error"]["reason"])
        self.assertEqual({dict(k)["name"] for k in self.series("system_network_in_bytes")}, {"good", "more"})

    def test_measurements_as_lines_too(self):
        for mode, lines, series in (("lines", 1, 0), ("both", 1, 1)):
            other = self.server("telemetry.interval=1h", f"elastic.metrics={mode}", doors=False,
                                data=self.work / mode)
            doc = self.beat("cpu", system={"cpu": {"user": {"pct": 0.25}}})
            body = json.dumps({"create": {"_index": "metricbeat"}}) + "\n" + json.dumps(doc) + "\n"
            answer = other.post("/elastic/_bulk", body.encode(), headers={"Content-Type": "application/x-ndjson"})
            self.assertFalse(answer.json()["errors"], answer.text)
            self.assertEqual(len(other.query("system_cpu_user_pct")), series, mode)
            got = other.get("/loki/loki/api/v1/query_range?query=" + urllib.parse.quote(
                '{index="metricbeat"} | system_cpu_user_pct > 0.2')).json()["data"]["result"]
            self.assertEqual([json.loads(v[1]) for s in got for v in s["values"]], [doc] * lines, mode)

    def test_series_over_the_limit_come_again(self):
        small = self.server("telemetry.interval=1h", "limits.series=3", "host.collect=off", doors=False,
                            data=self.work / "small")
        lines = []
        for i in range(5):
            lines += [json.dumps({"create": {"_index": "metricbeat"}}), json.dumps(
                self.beat("network", system={"network": {"name": f"eth{i}", "in": {"bytes": i}}}))]
        answer = small.post("/elastic/_bulk", "\n".join(lines + [""]).encode(),
                            headers={"Content-Type": "application/x-ndjson"})
        self.assertEqual({i["create"]["status"] for i in answer.json()["items"]}, {429}, answer.text)
        self.assertIn("limits.series", answer.text)

    def test_pipelines_are_told_not_to_run(self):
        answer = self.ask("PUT", "/_ingest/pipeline/p", json.dumps({"processors": [{"grok": {}}]}).encode(),
                          Content_Type="application/json")
        self.assertIn("ingest pipelines do not run here", answer.headers["Warning"])
        self.ask("POST", "/_ingest/pipeline/p/_simulate", b"{}", 501, Content_Type="application/json")
        body = b'{"index":{"_index":"i"}}\n{"message":"as sent"}\n'
        named = body.replace(b'"i"}', b'"i","pipeline":"filebeat-nginx"}')  # as Filebeat's modules do
        for path, body, warned in (("/_bulk?pipeline=p", body, 1), ("/_bulk?pipeline=_none", body, 0), ("/_bulk", body, 0),
                                   ("/_bulk", named + body + named, 1), ("/_bulk?pipeline=p", named, 1)):
            answer = self.ask("POST", path, body, Content_Type="application/x-ndjson")
            self.assertEqual(len(answer.headers.get_all("Warning", [])), warned, path)
        self.assertEqual(set(self.lines('{index="i"}')), {"as sent"})
        self.assertEqual(self.pharos.metric("pharos_elastic_pipeline_documents_total"), 4)

    def send_ids(self, *ids, action="create", text="good", index="dup", **fields):
        lines = []
        for i in ids:
            source = {"message": f"{text} {i}", **fields}
            lines += [{action: {"_id": i}},
                      {"doc_as_upsert": True, "doc": source} if action == "update" else source]
        got = self.bulk(*lines, path=f"/{index}/_bulk")
        return [next(iter(i.values())) for i in got["items"]]

    def test_repeated_ids(self):
        send = self.send_ids
        self.assertEqual([i["status"] for i in send("a", "b", "a")], [201, 201, 409])
        again = send("b", "c")
        self.assertEqual([i["status"] for i in again], [409, 201])
        self.assertEqual(again[0]["error"]["type"], "version_conflict_engine_exception")
        self.assertEqual([i["status"] for i in send("d", text="x" * 2000)], [400])  # not stored:
        self.assertEqual([i["status"] for i in send("d")], [201])
        self.assertEqual([i["status"] for i in send("a", action="index", text="once more")], [201])
        self.assertEqual(self.ask("PUT", "/dup/_create/a", b'{"message":"x"}', 409).json()["status"], 409)
        self.assertEqual(set(self.lines('{index="dup"}')), {"good a", "good b", "good c", "good d", "once more a"})
        self.assertEqual(self.pharos.metric("pharos_elastic_refused_documents_total", "repeated"), 3)

    def test_ids_that_replace(self):
        """What shippers send with `index` or an upsert (Logstash, Vector, Fluentd, Fluent Bit) comes
        again as it was: once is enough. With other content it is another event."""
        for action, again in (("index", "updated"), ("update", "noop")):
            first = self.send_ids("a", "b", "a", action=action, index=action)
            self.assertEqual([(i["status"], i["result"]) for i in first],
                             [(201, "created"), (201, "created"), (200, again)])
            more = self.send_ids("b", "c", action=action, index=action)
            self.assertEqual([i["status"] for i in more], [200, 201])
            self.send_ids("c", action=action, index=action, text="changed")
            self.assertEqual(set(self.lines(f'{{index="{action}"}}')), {"changed c", "good a", "good b", "good c"})
            self.assertEqual(self.count(f'{{index="{action}"}}'), 4)
        path = "/one/_doc/1"
        self.assertEqual(self.ask("PUT", path, b'{"message":"x"}', 201).json()["result"], "created")
        self.assertEqual(self.ask("PUT", path, b'{"message":"x"}', 200).json()["result"], "updated")
        bare = self.bulk({"update": {"_index": "i", "_id": "1"}}, {"doc": {"message": "x"}})
        self.assertIn("doc_as_upsert", bare["items"][0]["update"]["error"]["reason"])

    def test_ids_after_a_restart(self):
        """A batch whose answer a shipper did not hear since Pharos died is sent again."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        for index in ("dup", "dated-2024.01.02"):
            self.send_ids("a", "b", index=index, **{"@timestamp": now})
            self.send_ids("c", action="index", index=index, **{"@timestamp": now})
            self.send_ids("timeless", action="index", index=index)
        self.pharos.kill()
        self.pharos.start()
        for index in ("dup", "dated-2024.01.02"):
            again = self.send_ids("a", "b", "d", index=index, **{"@timestamp": now})
            self.assertEqual([i["status"] for i in again], [409, 409, 201])
            again = self.send_ids("c", action="index", index=index, **{"@timestamp": now})
            self.assertEqual([i["status"] for i in again], [200])
            # an id that was given to something else
            other = self.send_ids("a", index=index, **{"@timestamp": now.replace(".000Z", ".001Z")})
            self.assertEqual([i["status"] for i in other], [201])
            self.assertEqual(self.count(f'{{index="{index.split("-")[0]}"}}'), 6)  # with a twice

    def test_one_document(self):
        got = self.ask("PUT", "/i/_doc/9", b'{"message":"nine"}', 201).json()
        self.assertEqual((got["_id"], got["result"]), ("9", "created"))
        self.assertEqual(self.ask("POST", "/i/_doc", b'{"message"', 400).json()["error"]["type"],
                         "document_parsing_exception")

    def test_durable(self):
        self.bulk({"index": {"_index": "i"}}, {"message": "kept"})
        self.pharos.kill()
        self.pharos.start()
        self.assertIn("kept", self.lines('{index="i"}'))


class Auth(Case):
    SETS = ("auth.tokens={beats: a-token-of-enough-bytes}",)

    def test_api_keys_are_tokens(self):
        answer = self.ask("GET", "/", expect=401)
        self.assertEqual(answer.json()["error"]["type"], "security_exception")
        key = base64.b64encode(b"beats:a-token-of-enough-bytes").decode()
        self.ask("GET", "/", Authorization=f"ApiKey {key}")
        self.ask("GET", "/", expect=401,
                 Authorization="ApiKey " + base64.b64encode(b"beats:another").decode())


if __name__ == "__main__":
    pt.main()
