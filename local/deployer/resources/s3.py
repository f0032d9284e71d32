"""Amazon S3 buckets, and what is configured on them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from local.deployer.resources.protocol import Created, Existing, Naming, ResourceType, tag_list, without
from local.deployer.shapes import request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.deployer.aws import Aws
    from local.deployer.state import Properties

# On the loopback interface nothing comes over TLS, and the emulator's policies do not know this header.
_UNJUDGED = frozenset({"aws:SecureTransport", "s3:if-none-match"})


class Bucket(ResourceType):
    token = "aws:s3/bucket:Bucket"
    mapped = frozenset({"bucket", "forceDestroy", "tags"})
    replace_on = frozenset({"bucket"})
    naming = Naming(property="bucket", max_length=63)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        name = str(inputs["bucket"])
        # us-east-1 is the region that must not be named.
        place = {} if aws.region == "us-east-1" else {"locationConstraint": aws.region}
        configuration = {"createBucketConfiguration": place} if place else {}
        aws.s3.create_bucket(**request("s3", "CreateBucket", {"bucket": name, **configuration}))
        self._tag(aws, name, inputs)
        return Created(name, _outputs(name))

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        if "tagsAll" in changed:
            self._tag(aws, existing.id, inputs)
        return _outputs(existing.id)

    def delete(self, aws: Aws, existing: Existing) -> None:
        if existing.inputs.get("forceDestroy"):
            self._empty(aws, existing.id)
        aws.s3.delete_bucket(Bucket=existing.id)

    def unlock(self, aws: Aws, existing: Existing) -> None:
        self._empty(aws, existing.id)

    def listing(self, aws: Aws) -> set[str]:
        return {bucket["Name"] for bucket in aws.s3.list_buckets()["Buckets"]}

    def _tag(self, aws: Aws, name: str, inputs: Properties) -> None:
        if inputs["tagsAll"]:
            aws.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(inputs["tagsAll"])})
        else:
            aws.s3.delete_bucket_tagging(Bucket=name)

    def _empty(self, aws: Aws, name: str) -> None:
        for page in aws.s3.get_paginator("list_object_versions").paginate(Bucket=name):
            for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                aws.s3.delete_object(Bucket=name, Key=entry["Key"], VersionId=entry["VersionId"])


class BucketSetting(ResourceType):
    """One configuration of a bucket, put as a whole."""

    replace_on = frozenset({"bucket"})
    operation: ClassVar[str]
    names: ClassVar[Mapping[str, str]] = {}

    def create(self, aws: Aws, inputs: Properties) -> Created:
        self._put(aws, inputs)
        return Created(str(inputs["bucket"]), {})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        self._put(aws, inputs)
        return {}

    def _put(self, aws: Aws, inputs: Properties) -> None:
        parameters = request("s3", self.operation, self.properties(inputs), self.names)
        getattr(aws.s3, _method(self.operation))(**parameters)

    def properties(self, inputs: Properties) -> Properties:
        """The inputs in the structure of the operation, still in camelCase."""
        return without(inputs)


class BucketVersioning(BucketSetting):
    token = "aws:s3/bucketVersioning:BucketVersioning"
    mapped = frozenset({"bucket", "versioningConfiguration"})
    operation = "PutBucketVersioning"

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.s3.put_bucket_versioning(Bucket=existing.id, VersioningConfiguration={"Status": "Suspended"})


class BucketServerSideEncryptionConfiguration(BucketSetting):
    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    mapped = frozenset({"bucket", "rules"})
    operation = "PutBucketEncryption"
    names: ClassVar[Mapping[str, str]] = {"sseAlgorithm": "SSEAlgorithm", "kmsMasterKeyId": "KMSMasterKeyID"}

    def properties(self, inputs: Properties) -> Properties:
        return {"bucket": inputs["bucket"], "serverSideEncryptionConfiguration": {"rules": inputs["rules"]}}

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.s3.delete_bucket_encryption(Bucket=existing.id)


class BucketPublicAccessBlock(BucketSetting):
    token = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    mapped = frozenset({"blockPublicAcls", "blockPublicPolicy", "bucket", "ignorePublicAcls", "restrictPublicBuckets"})
    operation = "PutPublicAccessBlock"

    def properties(self, inputs: Properties) -> Properties:
        return {"bucket": inputs["bucket"], "publicAccessBlockConfiguration": without(inputs, "bucket")}

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.s3.delete_public_access_block(Bucket=existing.id)


class BucketPolicy(BucketSetting):
    token = "aws:s3/bucketPolicy:BucketPolicy"
    mapped = frozenset({"bucket", "policy"})
    operation = "PutBucketPolicy"

    def properties(self, inputs: Properties) -> Properties:
        policy: Any = inputs["policy"]
        document = json.loads(policy) if isinstance(policy, str) else policy
        statements = [statement for statement in document["Statement"] if not _beyond_the_emulator(statement)]
        return {"bucket": inputs["bucket"], "policy": json.dumps({**document, "Statement": statements})}

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.s3.delete_bucket_policy(Bucket=existing.id)


class BucketLifecycleConfiguration(BucketSetting):
    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    mapped = frozenset({"bucket", "rules"})
    operation = "PutBucketLifecycleConfiguration"
    names: ClassVar[Mapping[str, str]] = {"id": "ID"}

    def properties(self, inputs: Properties) -> Properties:
        return {"bucket": inputs["bucket"], "lifecycleConfiguration": {"rules": inputs["rules"]}}

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.s3.delete_bucket_lifecycle(Bucket=existing.id)


def _beyond_the_emulator(statement: Any) -> bool:
    """Whether a refusal depends on what the emulator cannot judge: it would refuse every request."""
    keys = {key for operator in statement.get("Condition", {}).values() for key in operator}
    return statement["Effect"] == "Deny" and not keys.isdisjoint(_UNJUDGED)


def _method(operation: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).lstrip("_")


def _outputs(name: str) -> Properties:
    return {"arn": f"arn:aws:s3:::{name}", "bucket": name, "id": name}


TYPES = (
    Bucket(),
    BucketVersioning(),
    BucketServerSideEncryptionConfiguration(),
    BucketPublicAccessBlock(),
    BucketPolicy(),
    BucketLifecycleConfiguration(),
)
