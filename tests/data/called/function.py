"""The function of the test: an authorizer as people write them for Amazon API Gateway."""


def handler(event, context):
    token = event.get("authorizationToken") or (event.get("identitySource") or [""])[0]
    if token == "nobody":
        raise Exception("Unauthorized")
    if token == "broken":
        raise ValueError("no")
    if event.get("version") == "2.0":
        return {"isAuthorized": token == "allow", "context": {"user": "ada", "route": event["routeKey"]}}
    return {
        "principalId": "ada",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow" if token == "allow" else "Deny",
                    "Resource": event["methodArn"],
                }
            ],
        },
        "context": {"user": "ada", "runtime": context.aws_request_id},
    }
