// The default service through the Go client that oapi-codegen writes of it.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"

	"example.com/client/api"
)

type asked struct {
	Progression []api.ProgressionInstance `json:"progression"`
	Iris        []api.IrisInstance        `json:"iris"`
}

func main() {
	var given asked
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		log.Fatal(err)
	}
	client, err := api.NewClientWithResponses(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	var numbers []float64
	for _, instance := range given.Progression {
		one, err := client.PostPredictProgressionPredictProgressionPostWithResponse(ctx, instance)
		if err != nil || one.JSON200 == nil {
			log.Fatal(err, one)
		}
		numbers = append(numbers, one.JSON200.Prediction)
	}
	var classes []api.IrisPredictionPrediction
	for _, instance := range given.Iris {
		flower, err := client.PostPredictIrisPredictIrisPostWithResponse(ctx, instance)
		if err != nil || flower.JSON200 == nil {
			log.Fatal(err, flower)
		}
		classes = append(classes, flower.JSON200.Prediction)
	}
	rows := api.ProgressionBatch{Instances: &given.Progression}
	batch, err := client.PostPredictProgressionBatchPredictProgressionBatchPostWithResponse(ctx, rows)
	if err != nil || batch.JSON200 == nil {
		log.Fatal(err, batch)
	}
	given.Progression[0].Age = 1000
	refused, err := client.PostPredictProgressionPredictProgressionPostWithResponse(ctx, given.Progression[0])
	if err != nil || refused.StatusCode() != http.StatusUnprocessableEntity || refused.ApplicationproblemJSON422 == nil {
		log.Fatal(err, refused)
	}
	answers := map[string]any{
		"progression":        numbers,
		"progression, batch": batch.JSON200.Predictions,
		"iris":               classes,
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}
