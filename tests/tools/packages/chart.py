#!/usr/bin/env python3
"""Checks the Helm chart with the real helm, the schemas of Kubernetes and of the Prometheus operator; `readme` writes its table of values anew.

usage: chart.py check|readme. `helm` and `node` are on PATH; the folder with node_modules is in NODE_FOLDER, the exporter's binary, if there is one, in EXPORTER.
"""

import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "deploy/helm/cloudspend-exporter"
BEGIN, END = "<!-- values:begin -->", "<!-- values:end -->"
# The oldest that Chart.yaml takes, and the newest that is known.
KUBERNETES = ["1.25.0", "1.37.0"]
# Helm keeps a release, with all files of the chart, compressed and in base64 twice, in a Secret of at most 1 MiB.
LARGEST_PACKAGE = 400_000

faults = []


def expect(holds, fault):
    if not holds:
        faults.append(fault)


def helm(*args):
    """What helm says, without its remark that a symbolic link is one."""
    done = subprocess.run(["helm", *args], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if "found symbolic link" not in line]
    return done.returncode, done.stdout, "\n".join(told)


# --- The table of values


def values_table():
    """The rows of the README: key, default and the comment above it in values.yaml."""
    rows, comment, keys, indents = [], [], [], []
    lines = (CHART / "values.yaml").read_text().splitlines()
    # The first paragraph speaks of the file.
    for number, line in list(enumerate(lines))[lines.index("") :]:
        text = line.strip()
        if not text:
            comment = []
        elif text.startswith("#"):
            comment.append(text.lstrip("# "))
        elif text.startswith("- "):
            continue
        else:
            key, value = text.split(":", 1)
            indent = len(line) - len(line.lstrip())
            while indents and indents[-1] >= indent:
                indents.pop()
                keys.pop()
            indents.append(indent)
            keys.append(key)
            rows.append((".".join(keys), value.strip(), " ".join(comment)))
            comment = []
    branches = {path.rpartition(".")[0] for path, _, _ in rows}
    cell = lambda text: text.replace("|", "\\|")
    return "\n".join(
        [
            "| key | default | meaning |",
            "|---|---|---|",
            *(
                f"| `{path}` | {f'`{cell(value)}`' if path not in branches else ''} | {cell(meaning)} |"
                for path, value, meaning in rows
                if path not in branches or meaning
            ),
        ]
    )


def readme(write):
    file = CHART / "README.md"
    text = file.read_text()
    head, rest = text.split(BEGIN, 1)
    _, tail = rest.split(END, 1)
    wanted = f"{head}{BEGIN}\n{values_table()}\n{END}{tail}"
    if write:
        file.write_text(wanted)
    else:
        expect(text == wanted, "README.md: its table is not that of values.yaml; run `make chart-readme`")


def schema_covers(values, schema, path="values"):
    """Every value has its place in the schema, every closed object of the schema only values that there are."""
    places = schema.get("properties", {})
    closed = schema.get("additionalProperties") is False
    for key, value in values.items():
        expect(key in places or not closed, f"{path}.{key}: not in values.schema.json")
        if isinstance(value, dict) and key in places:
            schema_covers(value, places[key], f"{path}.{key}")
    if closed and values and path != "values.resources":
        for key in places.keys() - values.keys() - {"global"}:
            faults.append(f"{path}.{key}: in values.schema.json but not in values.yaml")


# --- The manifests


def render(values, version):
    """The manifests that a file of values makes for a version of Kubernetes."""
    code, out, told = helm("template", "rel", str(CHART), "--namespace", "finops", "--values", str(values), "--kube-version", version)
    expect(code == 0 and not told, f"{values.name}: helm template: {told}")
    return [document for document in yaml.safe_load_all(out) if document]


def validate(documents, version, where):
    import kubernetes_validate

    for document in documents:
        if document["apiVersion"].startswith("monitoring.coreos.com/"):
            continue
        name = f"{where}: {document['kind']}/{document['metadata']['name']} in Kubernetes {version}"
        try:
            kubernetes_validate.validate(document, version.rpartition(".")[0], strict=True)
        except kubernetes_validate.ValidationError as error:
            faults.append(f"{name}: {str(error).splitlines()[0]}")


def validate_operator(documents):
    script = Path(__file__).with_name("operator.mjs")
    done = subprocess.run(["node", str(script)], cwd=os.environ["NODE_FOLDER"], input=json.dumps(documents), capture_output=True, text=True, check=False)
    expect(done.returncode == 0, f"operator: {done.stderr.strip()}")


def of_kind(documents, *kinds):
    return [document for document in documents if document["kind"] in kinds]


def pods(documents):
    for document in of_kind(documents, "Deployment", "StatefulSet"):
        yield document["spec"]["template"]["spec"]
    for document in of_kind(documents, "Pod"):
        yield document["spec"]


def keeps_the_rules(documents, where):
    """What holds whatever the values are."""
    expect(not of_kind(documents, "Secret", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"), f"{where}: makes a Secret or a role")
    for document in documents:
        expect(document["metadata"].get("namespace"), f"{where}: {document['kind']} names no namespace")
    for account in of_kind(documents, "ServiceAccount"):
        expect(account["automountServiceAccountToken"] is False, f"{where}: the service account has a token")
    for monitor in of_kind(documents, "ServiceMonitor"):
        expect(all(endpoint["honorLabels"] is True for endpoint in monitor["spec"]["endpoints"]), f"{where}: a scrape without honorLabels")
    (service,) = of_kind(documents, "Service")
    for document in of_kind(documents, "Deployment", "StatefulSet"):
        labels = document["spec"]["template"]["metadata"]["labels"]
        for selector in (document["spec"]["selector"]["matchLabels"], service["spec"]["selector"]):
            expect(selector.items() <= labels.items(), f"{where}: a selector does not fit the pod")
    for pod in of_kind(documents, "Pod"):
        expect(not service["spec"]["selector"].items() <= pod["metadata"]["labels"].items(), f"{where}: the Service selects the test")
    for pod in pods(documents):
        expect(pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False, f"{where}: a token or service links in the pod")
        expect(pod["securityContext"]["runAsNonRoot"] is True, f"{where}: runs as root")
        expect(pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, f"{where}: no seccomp profile")
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        for container in pod["containers"]:
            security = container["securityContext"]
            expect(security["readOnlyRootFilesystem"] is True and security["allowPrivilegeEscalation"] is False, f"{where}: the container may write or gain rights")
            expect(security["capabilities"] == {"drop": ["ALL"]}, f"{where}: the container keeps capabilities")
            expect(container["resources"]["limits"]["memory"], f"{where}: no limit of memory")
            mounts = {mount["name"] for mount in container.get("volumeMounts", [])}
            claims = {claim["metadata"]["name"] for document in of_kind(documents, "StatefulSet") for claim in document["spec"].get("volumeClaimTemplates", [])}
            expect(mounts == volumes | (claims & mounts), f"{where}: volumes {volumes | claims}, mounts {mounts}")


def flags_are_known(documents, where):
    known = set(re.findall(r'long = "([a-z.-]+)"', (ROOT / "src/cli.rs").read_text()))
    for document in of_kind(documents, "Deployment", "StatefulSet"):
        (container,) = document["spec"]["template"]["spec"]["containers"]
        for argument in container["args"]:
            if argument.startswith("--"):
                flag = argument[2:].partition("=")[0]
                expect(flag in known, f"{where}: --{flag} is no flag of src/cli.rs")


def brings_the_files(documents):
    """Rules and dashboards arrive as they stand in the repository."""
    rules = {rule["metadata"]["name"]: rule["spec"] for rule in of_kind(documents, "PrometheusRule")}
    for file in sorted((ROOT / "dashboards/rules").glob("*.yml")):
        if not file.stem.endswith("_test"):
            expect(rules.get(f"rel-cloudspend-exporter-{file.stem}") == yaml.safe_load(file.read_text()), f"{file.name}: not in its PrometheusRule as it is")
    maps = {name: text for document in of_kind(documents, "ConfigMap") for name, text in document["data"].items()}
    for file in sorted((ROOT / "dashboards").glob("*.json")):
        expect(maps.get(f"cloudspend-{file.name}", "").strip() == file.read_text().strip(), f"{file.name}: not in its ConfigMap as it is")


def config_is_good(documents, where):
    """The exporter itself takes the configuration, with secrets made up."""
    exporter = os.environ.get("EXPORTER")
    for document in of_kind(documents, "ConfigMap"):
        text = document["data"].get("cloudspend.yml")
        if not exporter or not text:
            continue
        with tempfile.TemporaryDirectory() as folder:
            environment = {}
            for file in re.findall(r"_file: (/run/secrets/cloudspend/\S+)", text):
                (Path(folder) / Path(file).name).write_text("made-up-secret\n")
            for variable in re.findall(r"_env: (\S+)", text):
                environment[variable] = "made-up-secret"
            config = Path(folder) / "cloudspend.yml"
            config.write_text(text.replace("/run/secrets/cloudspend", folder))
            done = subprocess.run([exporter, "check-config", "--config.file", str(config)], env=environment, capture_output=True, text=True, check=False)
            expect(done.returncode == 0, f"{where}: check-config: {done.stdout}{done.stderr}")


UUID = "00000000-0000-0000-0000-000000000001"
ROLE = "arn:aws:iam::111122223333:role/a"

# What is refused, by the schema or by the templates, and the words for it.
REFUSED = [
    ([], "give the configuration"),
    (["demo=true", "config=a"], "exclude each other"),
    (["demo=true", "existingConfigMap=a"], "exclude each other"),
    (["demo=true", "web.config=a", "web.existingSecret=b"], "exclude each other"),
    (["demo=true", "web.config=basic_auth_users: {a: b}"], "into a Secret"),
    (["config=a", "shards=2", "persistence.enabled=true", "persistence.existingClaim=b"], "each shard needs its own"),
    (["config=a", "persistence.existingClaim=b"], "needs persistence.enabled"),
    (["demo=true", "shards=2"], "demo is for one shard"),
    (["config=a", "shards=0"], "minimum"),
    (["config=a", "shard=3"], "not allowed"),
    (["config=a", "image.digest=sha256:0"], "pattern"),
    (["config=a", "log.format=xml"], "must be one of"),
    (["config=a", "livenessProbe.httpGet.port=1"], "livenessProbe"),
    (["config=a", "prometheusRule.files={recordin}"], "must be one of"),
    (["config=a", "service.port=65536"], "maximum"),
    (["config=a", "secretEnv[0].name=A"], "missing properties"),
    (["config=a", "cloudIdentity.aws.roleArn=role/a"], "pattern"),
    (["config=a", "cloudIdentity.aws.mountToken=true"], "needs cloudIdentity.aws.roleArn"),
    (["config=a", f"cloudIdentity.aws.roleArn={ROLE}", "serviceAccount.create=false"], "annotate it yourself"),
    (["config=a", "cloudIdentity.azure.clientId=a"], "pattern"),
    (["config=a", f"cloudIdentity.azure.tenantId={UUID}"], "needs cloudIdentity.azure.clientId"),
    (["config=a", f"cloudIdentity.azure.clientId={UUID}", "cloudIdentity.azure.mountToken=true"], "clientId and tenantId"),
    (["config=a", f"cloudIdentity.azure.clientId={UUID}", "serviceAccount.create=false"], "annotate it yourself"),
    (["config=a", "cloudIdentity.azure.authorityHost=http://a"], "pattern"),
    (["config=a", "cloudIdentity.google.serviceAccount=a"], "pattern"),
    (["config=a", "cloudIdentity.google.serviceAccount=a@b.iam.gserviceaccount.com", "serviceAccount.create=false"], "annotate it yourself"),
    (["config=a", "cloudIdentity.tokenExpirationSeconds=599"], "minimum"),
    (["demo=true", f"cloudIdentity.aws.roleArn={ROLE}"], "demo needs no cloudIdentity"),
    (["config=a", "networkPolicy.metadataServices={ecs}"], "must be one of"),
]


def refuses():
    for settings, words in REFUSED:
        arguments = [argument for setting in settings for argument in ("--set", setting)]
        code, _, told = helm("template", "rel", str(CHART), *arguments)
        expect(code != 0 and words in told, f"--set {' '.join(settings)}: not refused with {words!r}: {told}")


def says_what_each_is(found):
    """What the files of values under ci/ were written to make."""
    kinds = {name: {document["kind"] for document in documents} for name, documents in found.items()}
    workload = lambda name: of_kind(found[name], "Deployment", "StatefulSet")[0]
    arguments = lambda name: workload(name)["spec"]["template"]["spec"]["containers"][0]["args"]
    for name, kind in [("demo", "Deployment"), ("small", "Deployment"), ("existing", "Deployment"), ("identity", "Deployment"), ("tokens", "Deployment"), ("claim", "StatefulSet"), ("shards", "StatefulSet")]:
        expect(workload(f"{name}-values.yaml")["kind"] == kind, f"{name}: not a {kind}")
    for name in ("demo-values.yaml", "small-values.yaml", "existing-values.yaml"):
        expect(not kinds[name] & {"ServiceMonitor", "PrometheusRule"}, f"{name}: needs the operator without being told to")
    shards = workload("shards-values.yaml")["spec"]
    expect(shards["replicas"] == 3 and "--shard.count=3" in arguments("shards-values.yaml"), "shards: not three")
    expect([claim["metadata"]["name"] for claim in shards["volumeClaimTemplates"]] == ["state"], "shards: no volume each")
    expect(not any(argument.startswith("--shard") for argument in arguments("claim-values.yaml")), "claim: one shard is told of shards")
    expect("volumeClaimTemplates" not in workload("claim-values.yaml")["spec"], "claim: a second volume")
    expect("checksum/config" in shards["template"]["metadata"]["annotations"], "shards: a changed configuration starts no new pods")
    expect("checksum/config" not in workload("claim-values.yaml")["spec"]["template"]["metadata"]["annotations"], "claim: starts new pods")


def link_local(documents):
    """The link-local addresses that the policy lets the pod reach, with their ports."""
    found = set()
    for policy in of_kind(documents, "NetworkPolicy"):
        for rule in policy["spec"]["egress"]:
            for peer in rule.get("to", []):
                cidr = peer.get("ipBlock", {}).get("cidr", "")
                if cidr.startswith(("169.254.", "fd00:ec2::")):
                    found |= {(cidr, port["port"]) for port in rule["ports"]}
    return found


def tokens(pod):
    """The tokens of a pod: file, audience and lifetime."""
    folders = {mount["name"]: mount for container in pod["containers"] for mount in container["volumeMounts"]}
    for volume in pod["volumes"]:
        for source in volume.get("projected", {}).get("sources", []):
            if token := source.get("serviceAccountToken"):
                expect(folders[volume["name"]].get("readOnly") is True, f"{volume['name']}: may be written to")
                yield f"{folders[volume['name']]['mountPath']}/{token['path']}", token["audience"], token["expirationSeconds"]


def gives_identities(found):
    """Webhooks find their marks; without them the chart mounts what they would; a pod has neither unless asked."""
    pod = lambda name: next(pods(of_kind(found[name], "Deployment", "StatefulSet")))
    environment = lambda name: {entry["name"]: entry.get("value") for entry in pod(name)["containers"][0]["env"]}
    marks = ("eks.amazonaws.com/", "azure.workload.identity/", "iam.gke.io/")

    hooked = "identity-values.yaml"
    (account,) = of_kind(found[hooked], "ServiceAccount")
    wanted = {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/cloudspend-exporter",
        "azure.workload.identity/client-id": UUID,
        "azure.workload.identity/tenant-id": "00000000-0000-0000-0000-000000000002",
        "iam.gke.io/gcp-service-account": "cloudspend@billing-project.iam.gserviceaccount.com",
        "example.com/owner": "finops",
    }
    expect(account["metadata"]["annotations"] == wanted, f"identity: the service account has {account['metadata']['annotations']}")
    expect(pod(hooked)["serviceAccountName"] == account["metadata"]["name"] == "cloudspend", "identity: the pod has another service account")
    labels = of_kind(found[hooked], "Deployment")[0]["spec"]["template"]["metadata"]["labels"]
    expect(labels.get("azure.workload.identity/use") == "true" and labels.get("zone") == "billing", f"identity: the pod has the labels {labels}")
    expect(not list(tokens(pod(hooked))), "identity: a token beside that of the webhooks")
    services = {("169.254.169.254/32", 80), ("169.254.170.23/32", 80), ("fd00:ec2::23/128", 80), ("169.254.169.252/32", 988)}
    expect(link_local(found[hooked]) == services, f"identity: the policy has {link_local(found[hooked])}")

    mounted = "tokens-values.yaml"
    wanted = [("/run/secrets/cloud-tokens/aws", "sts.amazonaws.com", 7200), ("/run/secrets/cloud-tokens/azure", "api://AzureADTokenExchange", 7200)]
    expect(list(tokens(pod(mounted))) == wanted, f"tokens: {list(tokens(pod(mounted)))}")
    wanted = {
        "AWS_ROLE_ARN": "arn:aws-cn:iam::111122223333:role/finops/cloudspend-exporter",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/run/secrets/cloud-tokens/aws",
        "AZURE_CLIENT_ID": UUID,
        "AZURE_TENANT_ID": "00000000-0000-0000-0000-000000000002",
        "AZURE_FEDERATED_TOKEN_FILE": "/run/secrets/cloud-tokens/azure",
        "AZURE_AUTHORITY_HOST": "https://login.partner.microsoftonline.cn/",
    }
    given = {name: value for name, value in environment(mounted).items() if name.startswith(("AWS_", "AZURE_"))}
    expect(given == wanted, f"tokens: the container has {given}")
    expect(pod(mounted)["serviceAccountName"] == "finops" and not of_kind(found[mounted], "ServiceAccount"), "tokens: makes a service account")

    for name, documents in found.items():
        if name != hooked:
            expect(not link_local(documents), f"{name}: the policy has {link_local(documents)}")
            expect(not any(mark in json.dumps(documents) for mark in marks), f"{name}: a mark of a webhook")
        if name not in (hooked, mounted):
            expect(not list(tokens(pod(name))), f"{name}: a token")
            expect(not any(key.startswith(("AWS_", "AZURE_")) for key in environment(name)), f"{name}: variables of a cloud")


def package():
    """The packaged chart holds files, not links, and is small enough."""
    with tempfile.TemporaryDirectory() as folder:
        code, _, told = helm("package", str(CHART), "--destination", folder)
        expect(code == 0, f"helm package: {told}")
        (file,) = Path(folder).iterdir()
        size = file.stat().st_size
        expect(size < LARGEST_PACKAGE, f"the package has {size} bytes")
        with tarfile.open(file) as archive:
            members = archive.getmembers()
        expect(all(member.isfile() for member in members), "the package holds links")
        expect(not any("/ci/" in member.name for member in members), "the package holds ci/")
        return size


def check():
    readme(write=False)
    schema_covers(yaml.safe_load((CHART / "values.yaml").read_text()), json.loads((CHART / "values.schema.json").read_text()))
    version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    expect(yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == version, f"Chart.yaml: appVersion is not {version}")
    values = sorted((CHART / "ci").glob("*.yaml"))
    for file in [CHART / "values.yaml", *values]:
        code, out, told = helm("lint", "--strict", str(CHART), "--values", str(file))
        expect(code == 0, f"{file.name}: helm lint: {out}{told}")
    found, manifests = {}, 0
    for kubernetes in KUBERNETES:
        for file in values:
            documents = found[file.name] = render(file, kubernetes)
            if not documents:
                return
            manifests += len(documents)
            validate(documents, kubernetes, file.name)
    for name, documents in found.items():
        keeps_the_rules(documents, name)
        flags_are_known(documents, name)
        config_is_good(documents, name)
    validate_operator([document for documents in found.values() for document in of_kind(documents, "ServiceMonitor", "PrometheusRule")])
    brings_the_files(found["shards-values.yaml"])
    says_what_each_is(found)
    gives_identities(found)
    refuses()
    size = package()
    print(f"chart: {manifests} manifests of {len(values)} files of values for Kubernetes {' and '.join(KUBERNETES)}, {len(REFUSED)} refusals, {size} bytes packaged")


if __name__ == "__main__":
    if sys.argv[1:] == ["readme"]:
        readme(write=True)
    elif sys.argv[1:] == ["check"]:
        check()
        for fault in faults:
            print(f"chart: {fault}", file=sys.stderr)
        sys.exit(1 if faults else 0)
    else:
        sys.exit(__doc__)
