"""A bucket for objects that are written once, read for ever and never replaced."""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components.function import Function
from components.grants import OBJECT_PREFIX
from components.inputs import check_inputs, check_range

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html: below this,
# the colder class costs more than it saves, and S3 leaves objects where they are.
_SMALLEST_COLD_BYTES = 128 * 1024


class ArchiveBucketArgs(TypedDict):
    """Inputs of `ArchiveBucket`."""

    deletion_protection: bool
    """Whether Pulumi refuses to delete the bucket, and keeps it when it leaves the program. Without, it is deleted with
    all that is in it."""
    cold_after_days: NotRequired[int | None]
    """Days after which objects above 128 KB move to S3 Glacier Instant Retrieval, 1..36500: a fifth of the storage
    price, read as before at a higher price. Default: none moves."""


class ArchiveBucket(pulumi.ComponentResource):
    """A private, versioned, encrypted bucket that takes requests over TLS only, and no second object under a key."""

    bucket_name: pulumi.Output[str]
    """Physical name of the bucket."""
    arn: pulumi.Output[str]
    """ARN of the bucket."""

    def __init__(self, name: str, args: ArchiveBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:ArchiveBucket", name, {}, opts)
        check_inputs("ArchiveBucket", name, args, ArchiveBucketArgs)
        protected = args["deletion_protection"]
        cold_after_days = args.get("cold_after_days")
        child = pulumi.ResourceOptions(parent=self)

        bucket = aws.s3.Bucket(
            f"{name}-bucket",
            force_destroy=not protected,
            opts=pulumi.ResourceOptions(parent=self, protect=protected, retain_on_delete=protected),
        )
        aws.s3.BucketVersioning(
            f"{name}-versioning",
            bucket=bucket.bucket,
            versioning_configuration={"status": "Enabled"},
            opts=child,
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=bucket.bucket,
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
            opts=child,
        )
        closed = aws.s3.BucketPublicAccessBlock(
            f"{name}-access",
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        aws.s3.BucketPolicy(
            f"{name}-policy",
            bucket=bucket.bucket,
            policy=_policy(bucket.arn),
            # AWS refuses two changes of a bucket's access at a time.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[closed]),
        )
        if cold_after_days is not None:
            check_range("ArchiveBucket", name, "cold_after_days", cold_after_days, low=1, high=36_500)
            aws.s3.BucketLifecycleConfiguration(
                f"{name}-lifecycle",
                bucket=bucket.bucket,
                rules=[
                    {
                        "id": "cold",
                        "status": "Enabled",
                        "filter": {"object_size_greater_than": _SMALLEST_COLD_BYTES},
                        "transitions": [{"days": cold_after_days, "storage_class": "GLACIER_IR"}],
                    }
                ],
                opts=child,
            )

        self.bucket_name = bucket.bucket
        self.arn = bucket.arn
        self.register_outputs({"bucket_name": self.bucket_name, "arn": self.arn})


def grant_objects(name: str, bucket_arn: pulumi.Input[str], function: Function, *actions: str) -> None:
    """Let a function read or write the objects of an `ArchiveBucket`, and list them.

    Parameters
    ----------
    name
        What the bucket is called in the right's name.
    bucket_arn
        ARN of the bucket.
    function
        Who may.
    actions
        ``GetObject``, ``PutObject``.
    """
    function.allow(
        f"uses-{name}",
        [
            {
                "actions": [f"s3:{action}" for action in actions],
                "resources": [pulumi.Output.concat(bucket_arn, "/", OBJECT_PREFIX, "*")],
            },
            {"actions": ["s3:ListBucket"], "resources": [bucket_arn]},
        ],
    )


def _policy(bucket_arn: pulumi.Input[str]) -> pulumi.Output[str]:
    objects = pulumi.Output.concat(bucket_arn, "/*")
    everybody = {"Effect": "Deny", "Principal": "*"}
    return pulumi.Output.json_dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "OverTlsOnly",
                    **everybody,
                    "Action": "s3:*",
                    "Resource": [bucket_arn, objects],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
                {
                    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
                    "Sid": "NeverReplaced",
                    **everybody,
                    "Action": "s3:PutObject",
                    "Resource": objects,
                    "Condition": {"Null": {"s3:if-none-match": "true"}},
                },
            ],
        }
    )
